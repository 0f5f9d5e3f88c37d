/*
 * The release build as a test sees it: a process with a data directory of its own and a fixed port.
 *
 * The port is chosen before the start, so that a server which was killed comes back where its
 * clients look for it. Nothing is mocked: what the page talks to is what a team would run.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, existsSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { makeCertificate } from "./certificate.js";
import { freePort } from "./net.js";
import { until } from "./wait.js";

const ROOT = resolve(import.meta.dirname, "../../..");
const START_MS = 15_000;
const STOP_MS = 15_000;

/** The binary under test. */
export function binary() {
  const target = process.env.CARGO_TARGET_DIR ?? join(ROOT, "target");
  const path = process.env.SWITCHBACK_BINARY ?? join(target, "release/switchback");
  if (!existsSync(path)) {
    throw new Error(`${path} is missing: build it with "cargo build --release", or name it in SWITCHBACK_BINARY`);
  }
  return path;
}

/** A running `switchback serve`; `restart` brings it back on the same data and port. */
export class Server {
  /** @param {string} dataDir @param {number} port @param {boolean} tls */
  constructor(dataDir, port, tls) {
    this.dataDir = dataDir;
    this.port = port;
    this.tls = tls;
    this.url = `${tls ? "https" : "http"}://127.0.0.1:${port}`;
    this.log = "";
    /** @type {import("node:child_process").ChildProcess | null} */
    this.process = null;
  }

  /**
   * Starts it on a new data directory.
   * @param {{tls?: boolean}} [options] `tls`: with a certificate of its own
   */
  static async start({ tls = false } = {}) {
    const server = new Server(mkdtempSync(join(tmpdir(), "switchback-browser-")), await freePort(), tls);
    if (tls) makeCertificate(server.dataDir);
    await server.#spawn();
    return server;
  }

  /** Another certificate, and the signal that has it read. */
  async renewCertificate() {
    makeCertificate(this.dataDir);
    this.process?.kill("SIGHUP");
    await until("the certificate is read", START_MS, () => this.log.includes("certificate and key read again"));
  }

  /** What the first start prints for the one who sets the workspace up. */
  get setupUrl() {
    const found = this.log.match(/https?:\/\/\S+\/setup\/[\w-]+/);
    if (!found) throw new Error(`no set-up address in the log:\n${this.log}`);
    return found[0];
  }

  /** `kill -9`: no time for anything. */
  async kill() {
    await this.#end("SIGKILL");
  }

  /** A planned stop. */
  async stop() {
    await this.#end("SIGTERM");
  }

  /** Comes back on the same data and port. */
  async restart() {
    await this.#spawn();
  }

  /** Ends it and removes its data. */
  async remove() {
    await this.#end("SIGTERM");
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  /**
   * Makes an account the way a script does.
   * @param {{handle: string, name: string, password: string, role?: string}} user
   */
  createUser({ handle, name, password, role = "member" }) {
    const more = ["--handle", handle, "--name", name, "--role", role, "--password-stdin"];
    this.#admin(["create-user", ...more], `${password}\n`);
  }

  /** Makes an API token and returns it. @param {string} handle */
  createToken(handle) {
    const printed = this.#admin(["create-token", "--user", handle, "--label", "test"], "");
    return /** @type {string} */ (printed.trim().split("\n").at(-1));
  }

  /** @param {string[]} args @param {string} input */
  #admin(args, input) {
    const [command, ...rest] = args;
    const all = ["admin", command, "--data-dir", this.dataDir, ...rest];
    const done = spawnSync(binary(), all, { input, encoding: "utf8" });
    if (done.status !== 0) throw new Error(`switchback ${all.join(" ")}: ${done.stderr}`);
    return done.stdout;
  }

  async #spawn() {
    const args = ["serve", "--data-dir", this.dataDir, "--listen", `127.0.0.1:${this.port}`];
    if (this.tls) args.push("--tls-cert", join(this.dataDir, "cert.pem"), "--tls-key", join(this.dataDir, "key.pem"));
    const child = spawn(binary(), args, { env: { ...process.env, NO_COLOR: "1" } });
    this.process = child;
    this.log = "";
    child.stdout.on("data", (bytes) => (this.log += bytes));
    child.stderr.on("data", (bytes) => (this.log += bytes));
    await until("the server listens", START_MS, () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${this.log}`);
      return this.log.includes("listening on http");
    });
  }

  /** @param {NodeJS.Signals} signal */
  async #end(signal) {
    const child = this.process;
    const ended = () => !child || child.exitCode !== null || child.signalCode !== null;
    if (ended()) return;
    child?.kill(signal);
    await until(`the server ends by ${signal}`, STOP_MS, ended);
    this.process = null;
  }
}
