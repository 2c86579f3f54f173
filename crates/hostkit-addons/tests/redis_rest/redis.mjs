// What people do with @upstash/redis.
import assert from 'node:assert/strict';
import { Redis } from '@upstash/redis';

const redis = Redis.fromEnv();

assert.equal(await redis.ping(), 'PONG');
assert.equal(await redis.set('text', 'héllo ✓'), 'OK');
assert.equal(await redis.get('text'), 'héllo ✓');
assert.equal(await redis.get('nothing'), null);
await redis.set('object', { a: [1, 'two', null] }, { ex: 100 });
assert.deepEqual(await redis.get('object'), { a: [1, 'two', null] });
assert.ok((await redis.ttl('object')) > 90);
assert.equal(await redis.set('object', 1, { nx: true }), null);
assert.equal(await redis.incr('count'), 1);
assert.equal(await redis.incrby('count', 41), 42);
assert.equal(await redis.get('count'), 42);
await redis.hset('hash', { name: 'Ada', age: 36 });
assert.deepEqual(await redis.hgetall('hash'), { name: 'Ada', age: 36 });
assert.deepEqual(await redis.hmget('hash', 'name', 'none'), { name: 'Ada', none: null });
await redis.rpush('list', 'a', 'b', 'c');
assert.deepEqual(await redis.lrange('list', 0, -1), ['a', 'b', 'c']);
await redis.zadd('zset', { score: 1.5, member: 'x' }, { score: 2, member: 'y' });
assert.deepEqual(await redis.zrange('zset', 0, -1, { withScores: true }), ['x', 1.5, 'y', 2]);
await redis.sadd('set', 'a', 'b');
assert.deepEqual((await redis.smembers('set')).sort(), ['a', 'b']);
const [cursor, found] = await redis.scan(0, { match: 'ha*', count: 1000 });
assert.deepEqual([String(cursor), found], ['0', ['hash']]);
assert.deepEqual((await redis.keys('ze*')), []);
const id = await redis.xadd('stream', '*', { field: 'value' });
assert.deepEqual(await redis.xrange('stream', '-', '+'), { [id]: { field: 'value' } });
assert.equal(await redis.eval('return redis.call("GET", KEYS[1]) .. ARGV[1]', ['text'], ['!']), 'héllo ✓!');
const script = redis.createScript('return ARGV[1]');
assert.equal(await script.exec([], ['once']), 'once');
assert.equal(await script.exec([], ['twice']), 'twice');
assert.equal(await redis.getdel('text'), 'héllo ✓');
const long = 'x'.repeat(1_000_000);
await redis.set('long', long);
assert.equal(await redis.get('long'), long);

const pipeline = redis.pipeline();
pipeline.set('p', 1).incr('p').get('p');
assert.deepEqual(await pipeline.exec(), ['OK', 2, 2]);
const transaction = redis.multi();
transaction.set('t', 'a').get('t').hgetall('hash');
assert.deepEqual(await transaction.exec(), ['OK', 'a', { name: 'Ada', age: 36 }]);
// Gathered into one request by the library.
assert.deepEqual(await Promise.all([1, 2, 3].map(async n => { await redis.set(`m${n}`, n); return redis.get(`m${n}`); })), [1, 2, 3]);
await assert.rejects(redis.lpush('p', 'x'), /WRONGTYPE/);
await assert.rejects(redis.multi().set('t', 'b').lpush('t', 1).exec(), /WRONGTYPE/);

const messages = [];
const subscriber = redis.subscribe(['news']);
const heard = new Promise(done => subscriber.on('message', message => { messages.push(message); if (messages.length === 2) done(); }));
await new Promise((done, failed) => { subscriber.on('subscribe', done); subscriber.on('error', failed); });
assert.equal(await redis.publish('news', { a: 1 }), 1);
await redis.publish('news', 'plain');
await heard;
assert.deepEqual(messages, [{ channel: 'news', message: { a: 1 } }, { channel: 'news', message: 'plain' }]);
await subscriber.unsubscribe();

const reader = new Redis({ url: process.env.UPSTASH_REDIS_REST_URL, token: process.env.READ_ONLY_TOKEN, enableTelemetry: false });
assert.equal(await reader.get('count'), 42);
await assert.rejects(reader.set('count', 1), /NOPERM/);
const stranger = new Redis({ url: process.env.UPSTASH_REDIS_REST_URL, token: 'wrong', retry: false });
await assert.rejects(stranger.get('count'), /auth/);

console.log('all held');
process.exit(0);
