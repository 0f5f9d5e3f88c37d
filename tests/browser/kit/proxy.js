/*
 * Real proxies with real faults: nginx and HAProxy from Debian, each on a port of its own.
 *
 * A fault is a configuration that people run, not a mock: what each does to an upgrade and to a
 * stream is proved in proxies.test.js before any test relies on it. One process each, so that a
 * cut is one signal: SIGKILL for a link that breaks, SIGSTOP for one that falls silent.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort, listens } from "./net.js";

const START_MS = 10_000;
const POLL_MS = 20;
const PLACES = ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"];

/** @typedef {"passes" | "eats" | "buffers" | "denies" | "hangs"} Fault */

/**
 * What each proxy is, and how it is told so.
 * @type {Record<Fault, {program: "nginx" | "haproxy", rules: string}>}
 */
const FAULTS = {
  // As our operations page advises: upgrades pass, streams stream.
  passes: {
    program: "nginx",
    rules: `proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $upgrade_or_close;`,
  },
  // The commonest misconfiguration: a plain proxy_pass, which drops the hop-by-hop headers and
  // speaks HTTP/1.0 to us. Streams still pass, since our responses say X-Accel-Buffering: no.
  eats: { program: "nginx", rules: "" },
  // A proxy that hands on whole responses only, whatever the response says.
  buffers: {
    program: "nginx",
    rules: `proxy_buffering on;
      proxy_ignore_headers X-Accel-Buffering;
      proxy_buffer_size 64k;
      proxy_buffers 16 64k;
      proxy_busy_buffers_size 128k;`,
  },
  // A firewall that answers an upgrade with a refusal.
  denies: { program: "haproxy", rules: "http-request deny deny_status 403 if { req.hdr(Upgrade) -m found }" },
  // A firewall that takes an upgrade and says nothing for a long time.
  hangs: { program: "haproxy", rules: "http-request tarpit deny_status 500 if { req.hdr(Upgrade) -m found }" },
};

/** One proxy in front of one server. */
export class Proxy {
  /** @param {Fault} fault @param {number} upstream @param {number} port */
  constructor(fault, upstream, port) {
    this.fault = fault;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.dir = mkdtempSync(join(tmpdir(), "switchback-proxy-"));
    const { program, rules } = FAULTS[fault];
    this.program = program;
    this.config = join(this.dir, `${program}.conf`);
    const write = program === "nginx" ? nginxConfig : haproxyConfig;
    writeFileSync(this.config, write(this.dir, port, upstream, rules));
    /** @type {import("node:child_process").ChildProcess | null} */
    this.process = null;
  }

  /** @param {Fault} fault @param {number} upstream the server's port */
  static async start(fault, upstream) {
    const proxy = new Proxy(fault, upstream, await freePort());
    await proxy.restore();
    return proxy;
  }

  /** Breaks the link: every connection through it ends, new ones are refused. */
  async cut() {
    const child = this.process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
    this.process = null;
  }

  /** The link falls silent: connections stay, bytes do not pass. `resume` ends it. */
  pause() {
    this.process?.kill("SIGSTOP");
  }

  /** See `pause`. */
  resume() {
    this.process?.kill("SIGCONT");
  }

  /** Opens the link, at first or again after `cut`. */
  async restore() {
    const args = this.program === "nginx" ? ["-p", this.dir, "-c", this.config] : ["-db", "-f", this.config];
    let printed = "";
    const child = spawn(find(this.program), args);
    child.stderr.on("data", (bytes) => (printed += bytes));
    this.process = child;
    const deadline = Date.now() + START_MS;
    while (!(await listens(this.port))) {
      if (Date.now() > deadline || child.exitCode !== null) throw new Error(`${this.program} did not start:\n${printed}`);
      await sleep(POLL_MS);
    }
  }

  /** Ends it for good. */
  async remove() {
    await this.cut();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Servers live in sbin, which is not on everybody's PATH. @param {string} program */
function find(program) {
  const found = PLACES.map((place) => join(place, program)).find((path) => existsSync(path));
  if (!found) throw new Error(`${program} is missing: apt-get install --no-install-recommends ${program}`);
  return found;
}

/** @param {string} dir @param {number} port @param {number} upstream @param {string} rules */
function nginxConfig(dir, port, upstream, rules) {
  const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `daemon off;
master_process off;
pid ${dir}/nginx.pid;
error_log stderr;
events { worker_connections 256; }
http {
  access_log off;
  ${temp.map((name) => `${name}_temp_path ${dir}/${name};`).join("\n  ")}
  map $http_upgrade $upgrade_or_close { default upgrade; "" close; }
  server {
    listen 127.0.0.1:${port};
    client_max_body_size 1m;
    location / {
      proxy_pass http://127.0.0.1:${upstream};
      proxy_set_header Host $http_host;
      ${rules}
    }
  }
}
`;
}

/** @param {string} _dir @param {number} port @param {number} upstream @param {string} rules */
function haproxyConfig(_dir, port, upstream, rules) {
  return `global
  maxconn 256
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tarpit 20s
frontend in
  bind 127.0.0.1:${port}
  ${rules}
  default_backend out
backend out
  server switchback 127.0.0.1:${upstream}
`;
}
