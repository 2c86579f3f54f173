// What people do with @upstash/ratelimit.
import assert from 'node:assert/strict';
import { Ratelimit } from '@upstash/ratelimit';
import { Redis } from '@upstash/redis';

const redis = Redis.fromEnv();
for (const [name, limiter] of Object.entries({
  fixed: Ratelimit.fixedWindow(3, '1 h'),
  sliding: Ratelimit.slidingWindow(3, '1 h'),
  bucket: Ratelimit.tokenBucket(3, '1 h', 3),
})) {
  const limit = new Ratelimit({ redis, limiter, prefix: name, ephemeralCache: false, analytics: true });
  const answers = [];
  for (let i = 0; i < 5; i++) answers.push(await limit.limit('visitor'));
  // A window may end while this runs, once: then one more is let through.
  const let_through = answers.filter(answer => answer.success).length;
  assert.ok(let_through === 3 || let_through === 4, `${name}: ${let_through}`);
  assert.equal(answers[0].limit, 3);
  assert.equal((await limit.limit('somebody else')).success, true);
  await Promise.all(answers.map(answer => answer.pending));
  await limit.resetUsedTokens('visitor');
  assert.equal((await limit.limit('visitor')).success, true);
}

console.log('all held');
process.exit(0);
