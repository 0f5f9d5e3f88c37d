"""SIGHUP means two things: the terminal that the server was started from tells which."""
import os
import pathlib
import pty
import signal
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BINARY = os.environ.get("SWITCHBACK_BINARY", str(TARGET / "release" / "switchback"))
PATIENCE_S = 15
# A signal that ends the process does so long before.
STAYS_S = 1


class Started:
    """A server with a terminal for its input, and a file for what it says."""

    def __init__(self, directory, wrapper=()):
        self.terminal, inside = pty.openpty()
        self.log = pathlib.Path(directory) / "log"
        command = [*wrapper, BINARY, "serve", "--data-dir", f"{directory}/data", "--listen", "127.0.0.1:0"]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=inside, stdout=log, stderr=log, start_new_session=True)
        os.close(inside)
        self.wait_for("listening on http")

    def wait_for(self, text):
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.log.read_text():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError(f"not \"{text}\":\n{self.log.read_text()}")
            time.sleep(0.02)

    def hang_up(self):
        """What the kernel and the shell do when a terminal's window is closed."""
        os.close(self.terminal)
        self.process.send_signal(signal.SIGHUP)

    def end(self):
        self.process.kill()
        self.process.wait()


class TerminalTest(unittest.TestCase):
    def start(self, wrapper=()):
        directory = tempfile.TemporaryDirectory(prefix="switchback-terminal-")
        self.addCleanup(directory.cleanup)
        started = Started(directory.name, wrapper)
        self.addCleanup(started.end)
        return started

    def test_a_signal_while_the_terminal_is_there_ends_nothing(self):
        started = self.start()
        started.process.send_signal(signal.SIGHUP)
        started.wait_for("there is nothing to read again")
        self.assertIsNone(started.process.poll())

    def test_a_closed_terminal_stops_the_server_in_good_order(self):
        started = self.start()
        started.hang_up()
        self.assertEqual(started.process.wait(PATIENCE_S), 0)
        self.assertIn("the terminal was closed", started.log.read_text())

    def test_under_nohup_it_goes_on(self):
        started = self.start(["nohup"])
        started.hang_up()
        with self.assertRaises(subprocess.TimeoutExpired):
            started.process.wait(STAYS_S)


if __name__ == "__main__":
    unittest.main()
