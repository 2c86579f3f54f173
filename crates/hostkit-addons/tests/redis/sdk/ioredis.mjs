// What people do with ioredis.
import assert from 'node:assert/strict';
import Redis from 'ioredis';

const redis = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: 2 });
assert.equal(await redis.set('key', 'value', 'EX', 100), 'OK');
assert.equal(await redis.get('key'), 'value');
assert.ok((await redis.ttl('key')) > 90);
assert.deepEqual(await redis.pipeline().incr('n').incr('n').get('n').exec(), [[null, 1], [null, 2], [null, '2']]);
assert.deepEqual(await redis.multi().hset('hash', { a: 1, b: 2 }).hgetall('hash').exec(), [[null, 2], [null, { a: '1', b: '2' }]]);
redis.defineCommand('double', { numberOfKeys: 1, lua: "return redis.call('GET', KEYS[1]) * 2" });
assert.equal(await redis.double('n'), 4);
await redis.rpush('list', 1, 2, 3);
assert.deepEqual(await redis.lrange('list', 0, -1), ['1', '2', '3']);
const bytes = Buffer.from([0, 255, 10, 13]);
await redis.set('bytes', bytes);
assert.deepEqual(await redis.getBuffer('bytes'), bytes);

const subscriber = redis.duplicate();
const heard = new Promise(resolve => subscriber.on('message', (channel, text) => resolve(`${channel} ${text}`)));
await subscriber.subscribe('news');
await redis.publish('news', 'hello');
assert.equal(await heard, 'news hello');

await redis.xadd('stream', '*', 'a', '1');
const [[, [[, fields]]]] = await redis.xread('COUNT', 1, 'STREAMS', 'stream', '0');
assert.deepEqual(fields, ['a', '1']);
let keys = 0;
for await (const some of redis.scanStream({ match: '*' })) keys += some.length;
assert.ok(keys >= 5);
await assert.rejects(redis.call('CONFIG', 'GET', '*'), /NOPERM/);
await Promise.all([redis.quit(), subscriber.quit()]);
console.log('all held');
