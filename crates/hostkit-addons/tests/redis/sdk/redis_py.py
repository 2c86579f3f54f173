"""What people do with redis-py, waiting and not waiting."""

import asyncio
import os

import redis
import redis.asyncio

url = os.environ["REDIS_URL"]
client = redis.Redis.from_url(url, decode_responses=True)
assert client.set("key", "value", ex=100) and client.get("key") == "value"
with client.pipeline(transaction=True) as pipe:
    assert pipe.incr("n").incr("n").get("n").execute() == [1, 2, "2"]
client.hset("hash", mapping={"a": 1, "b": 2})
assert client.hgetall("hash") == {"a": "1", "b": "2"}
client.zadd("scores", {"ann": 3, "bob": 1})
assert client.zrange("scores", 0, -1) == ["bob", "ann"]
double = client.register_script("return redis.call('GET', KEYS[1]) * 2")
assert double(keys=["n"]) == 4
with client.lock("lock", timeout=10, blocking_timeout=1):
    assert client.exists("lock")
assert not client.exists("lock")
pubsub = client.pubsub(ignore_subscribe_messages=True)
pubsub.subscribe("news")
pubsub.get_message(timeout=5)
client.publish("news", "hello")
assert pubsub.get_message(timeout=5)["data"] == "hello"
pubsub.close()
client.xgroup_create("stream", "readers", mkstream=True)
client.xadd("stream", {"a": 1})
assert client.xreadgroup("readers", "one", {"stream": ">"})[0][1][0][1] == {"a": "1"}
try:
    client.config_get("*")
    raise SystemExit("CONFIG is let through")
except redis.exceptions.NoPermissionError:
    pass


async def waiting() -> None:
    """The same server, by redis.asyncio."""
    other = redis.asyncio.from_url(url, decode_responses=True)
    await asyncio.gather(*(other.incr("count") for _ in range(100)))
    assert await other.get("count") == "100"
    await other.aclose()


asyncio.run(waiting())
print("all held")
