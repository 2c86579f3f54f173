// A program as people write it with Drizzle: node-postgres on the pooled address, many at once, transactions.
const assert = require("node:assert");
const { count, eq } = require("drizzle-orm");
const { drizzle } = require("drizzle-orm/node-postgres");
const { Pool } = require("pg");
const { people, notes } = require("./schema.js");

async function main() {
  const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 20 });
  const db = drizzle(pool);
  const one = (number) =>
    db.transaction(async (tx) => {
      const [person] = await tx.insert(people).values({ name: `p${number}` }).returning();
      await tx.insert(notes).values({ text: "hello", personId: person.id });
      return person.id;
    });
  const ids = await Promise.all(Array.from({ length: 30 }, (_, number) => one(number)));
  assert.equal(new Set(ids).size, 30);
  await assert.rejects(one(3), "a name is there once");
  const joined = await db.select({ name: people.name }).from(notes).innerJoin(people, eq(people.id, notes.personId));
  assert.equal(joined.length, 30);
  assert.equal((await db.select({ all: count() }).from(people))[0].all, 30);
  await pool.end();
  console.log("all well");
}

main();
