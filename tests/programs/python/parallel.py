# SPDX-License-Identifier: ISC
"""subprocess, os.fork, threading and asyncio with subprocesses. The output is deterministic."""

import asyncio
import concurrent.futures
import os
import signal
import subprocess
import sys
import threading


def subprocesses():
    done = subprocess.run(["/bin/sh", "-c", "cat; echo err >&2; exit 3"], input=b"in\n",
                          capture_output=True, check=False)
    print(done.returncode, done.stdout, done.stderr)
    first = subprocess.Popen(["/bin/echo", "one two"], stdout=subprocess.PIPE)
    second = subprocess.Popen(["/usr/bin/tr", "a-z", "A-Z"], stdin=first.stdout,
                              stdout=subprocess.PIPE)
    first.stdout.close()
    print(second.communicate()[0], first.wait())
    sleeper = subprocess.Popen(["/bin/sleep", "100"], start_new_session=True)
    try:
        sleeper.wait(timeout=0.05)
    except subprocess.TimeoutExpired:
        print("time-out")
    sleeper.send_signal(signal.SIGTERM)
    print(sleeper.wait())
    try:
        subprocess.run(["/no/such/program"], check=True)
    except FileNotFoundError as error:
        print(error)


def forks():
    ends = os.pipe()
    pids = []
    for number in range(5):
        pid = os.fork()
        if pid == 0:
            os.write(ends[1], bytes([65 + number]))
            os._exit(number)
        pids.append(pid)
    print([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids])
    print(sorted(os.read(ends[0], 10)))


def threads():
    total, lock, local = [0], threading.Lock(), threading.local()
    barrier = threading.Barrier(8)

    def work(number):
        local.number = number
        barrier.wait()
        for _ in range(1000):
            with lock:
                total[0] += local.number

    made = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in made:
        thread.start()
    for thread in made:
        thread.join()
    print(total)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        print(list(pool.map(lambda n: subprocess.run(["/bin/echo", str(n)], check=True,
                                                     capture_output=True).stdout, range(8))))
    with concurrent.futures.ProcessPoolExecutor(3) as pool:
        print(list(pool.map(abs, range(-5, 5))))


async def one(number):
    process = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", f"echo out{number}; cat; exit {number}",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate(b"in")
    return number, out, process.returncode


async def loops():
    print(await asyncio.gather(*[one(number) for number in range(5)]))
    process = await asyncio.create_subprocess_exec("/bin/sleep", "100")
    process.kill()
    print(await process.wait())
    print(await asyncio.get_running_loop().run_in_executor(None, abs, -5))
    try:
        await asyncio.wait_for(asyncio.sleep(10), 0.05)
    except asyncio.TimeoutError:
        print("time-out")


if __name__ == "__main__":
    {"subprocesses": subprocesses, "forks": forks, "threads": threads,
     "asyncio": lambda: asyncio.run(loops())}[sys.argv[1]]()
