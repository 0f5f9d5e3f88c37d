#!/usr/bin/env python3
"""What ext4 keeps of synced data when it meets an error and goes read-only under a program at work.

No Switchback in it: a program appends records to a file and says after each fdatasync that it is kept.
At a random moment the kernel is told to meet an error (errors=remount-ro); then the program is killed,
the file system is unmounted and repaired by e2fsck, and the file is measured. Needs root.

    python3 tests/faults/ext4_error.py 500
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time

SIZE = 24 << 20
RECORDS = (b"x" * 500, b"x" * 4000)


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def write(path, said):
    """Appends for ever; says the file's length after each sync, and ends at the first error."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    try:
        while True:
            os.write(file, random.choice(RECORDS))
            os.fdatasync(file)
            os.write(said, b"%d\n" % os.lseek(file, 0, os.SEEK_END))
    except OSError:
        time.sleep(60)


def round(folder):
    """One file system from its making to its repair: bytes that were synced, bytes that are there."""
    image, mount = os.path.join(folder, "image"), os.path.join(folder, "mount")
    os.makedirs(mount, exist_ok=True)
    with open(image, "wb") as file:
        file.truncate(SIZE)
    run("mke2fs", "-q", "-F", "-t", "ext4", image)
    run("mount", "-o", "loop,errors=remount-ro", image, mount)
    device = os.path.basename(run("findmnt", "-no", "SOURCE", mount).strip())
    heard, said = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(heard)
        write(os.path.join(mount, "log"), said)
        os._exit(0)
    os.close(said)
    time.sleep(random.uniform(0.05, 0.6))
    with open(f"/sys/fs/ext4/{device}/trigger_fs_error", "w") as trigger:
        trigger.write("test")
    time.sleep(0.15)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(heard) as lines:
        synced = int(lines.read().split()[-1])
    run("umount", mount)
    assert subprocess.run(["e2fsck", "-y", image], capture_output=True).returncode <= 2
    run("mount", "-o", "loop", image, mount)
    there = os.path.getsize(os.path.join(mount, "log"))
    run("umount", mount)
    return synced, there


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    lost = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1, rounds + 1):
            synced, there = round(folder)
            if there < synced:
                lost += 1
                print(f"round {number}: {synced} bytes were synced, {there} are there")
    print(f"synced data was lost in {lost} of {rounds} rounds, Linux {os.uname().release}")


if __name__ == "__main__":
    main()
