# SPDX-License-Identifier: ISC
"""multiprocessing with one start method: fork, spawn or forkserver. The output is deterministic."""

import multiprocessing
import sys
import time
from multiprocessing import shared_memory


def square(number):
    return number * number


def put(queue, count):
    for number in range(count):
        queue.put((count, number))


def write_shared(name):
    memory = shared_memory.SharedMemory(name=name)
    memory.buf[0] = 7
    memory.close()


def note(numbers, names, key):
    numbers[key] = key * key
    names.append(key)


def add_up(total, lock):
    for _ in range(200):
        with lock:
            total.value += 1


def talk(end):
    end.send(["hello", end.recv()])
    end.close()


def run(processes):
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    print("exit codes", [process.exitcode for process in processes])


def pools_and_queues(context):
    with context.Pool(3) as pool:
        print("pool", pool.map(square, range(10)), pool.apply_async(square, (9,)).get(20))
    queue = context.Queue()
    processes = [context.Process(target=put, args=(queue, count)) for count in (3, 4)]
    for process in processes:
        process.start()
    print("queue", sorted(queue.get(timeout=20) for _ in range(7)))
    for process in processes:
        process.join()


def shared_things(context):
    memory = shared_memory.SharedMemory(create=True, size=4096)
    run([context.Process(target=write_shared, args=(memory.name,))])
    print("shared memory", memory.buf[0])
    memory.close()
    memory.unlink()
    with context.Manager() as manager:
        numbers, names = manager.dict(), manager.list()
        run([context.Process(target=note, args=(numbers, names, key)) for key in range(3)])
        print("manager", sorted(numbers.items()), sorted(names))
    total, lock = context.Value("i", 0), context.Lock()
    run([context.Process(target=add_up, args=(total, lock)) for _ in range(3)])
    print("value", total.value)


def ends(context):
    ours, theirs = context.Pipe()
    process = context.Process(target=talk, args=(theirs,))
    process.start()
    ours.send("bye")
    print("pipe", ours.recv())
    process.join()
    event = context.Event()
    process = context.Process(target=event.wait)
    process.start()
    time.sleep(0.05)
    event.set()
    process.join()
    print("event", process.exitcode)
    process = context.Process(target=time.sleep, args=(100,))
    process.start()
    time.sleep(0.05)
    process.terminate()
    process.join()
    print("terminated", process.exitcode)


if __name__ == "__main__":
    CONTEXT = multiprocessing.get_context(sys.argv[1])
    pools_and_queues(CONTEXT)
    shared_things(CONTEXT)
    ends(CONTEXT)
