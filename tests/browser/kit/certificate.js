/*
 * A certificate that nobody signed but itself, as a team has on its first day with TLS.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** Days until it ends. */
const DAYS = "30";

/**
 * Makes certificate and key in a directory, over those that are there.
 * @param {string} dir
 */
export function makeCertificate(dir) {
  const [cert, key] = [join(dir, "cert.pem"), join(dir, "key.pem")];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  execFileSync("openssl", ["req", "-x509", ...kind, ...names, "-days", DAYS, "-out", cert, "-keyout", key], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  return { cert, key };
}
