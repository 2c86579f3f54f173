// What people do with BullMQ: jobs, one that fails and is tried again, one later, and their results.
import assert from 'node:assert/strict';
import { Queue, QueueEvents, Worker } from 'bullmq';
import Redis from 'ioredis';

const connection = () => new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: null });
const connections = [connection(), connection(), connection()];
const queue = new Queue('mail', { connection: connections[0] });
const events = new QueueEvents('mail', { connection: connections[1] });
await events.waitUntilReady();
const worker = new Worker('mail', async job => {
  if (job.name === 'fails first' && job.attemptsMade === 0) throw new Error('not yet');
  return `${job.name} ${job.data.to}`;
}, { connection: connections[2], concurrency: 4 });

const jobs = await queue.addBulk(Array.from({ length: 50 }, (_, n) => ({ name: 'send', data: { to: n } })));
const again = await queue.add('fails first', { to: 'a' }, { attempts: 3, backoff: { type: 'fixed', delay: 20 } });
const later = await queue.add('later', { to: 'b' }, { delay: 200 });
const results = await Promise.all([...jobs, again, later].map(job => job.waitUntilFinished(events, 20000)));
assert.deepEqual(results.slice(0, 2), ['send 0', 'send 1']);
assert.deepEqual(results.slice(-2), ['fails first a', 'later b']);
assert.equal((await queue.getJobCounts('completed')).completed, 52);
await worker.close();
await events.close();
await queue.obliterate({ force: true });
await queue.close();
for (const one of connections) one.disconnect();
console.log('all held');
