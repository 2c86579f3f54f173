"""What people do with Celery: a worker of its own process, tasks, a chain, one that is tried again, and results."""

import os
import subprocess
import sys

from celery import Celery, chain, group

app = Celery("celery_app", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ["CELERY_RESULT_BACKEND"])


@app.task
def add(a, b):
    """Adds."""
    return a + b


@app.task(bind=True, max_retries=3)
def again(self):
    """Succeeds the second time."""
    if self.request.retries == 0:
        raise self.retry(countdown=0)
    return self.request.retries


def main():
    """Asks a worker for everything, and ends it."""
    words = [sys.executable, "-B", "-m", "celery", "--app", "celery_app", "worker"]
    worker = subprocess.Popen(words + ["--concurrency", "2", "--loglevel", "ERROR"])
    try:
        assert add.delay(1, 2).get(timeout=40) == 3
        assert group(add.s(n, n) for n in range(20))().get(timeout=40) == [2 * n for n in range(20)]
        assert chain(add.s(1, 1), add.s(10))().get(timeout=40) == 12
        assert again.delay().get(timeout=40) == 1
    finally:
        worker.terminate()
        worker.wait(timeout=30)
    print("all held")


if __name__ == "__main__":
    main()
