// A program as people write it with Knex: its own pool on the pooled address, many at once, transactions.
const assert = require("node:assert");

async function main() {
  const knex = require("knex")({ client: "pg", connection: process.env.DATABASE_URL, pool: { min: 0, max: 20 } });
  const one = (number) =>
    knex.transaction(async (trx) => {
      const [{ id }] = await trx("people").insert({ name: `p${number}` }).returning("id");
      return (await trx("people").where({ id }).first()).name;
    });
  const names = await Promise.all(Array.from({ length: 30 }, (_, number) => one(number)));
  assert.equal(new Set(names).size, 30);
  await assert.rejects(one(3), "a name is there once");
  assert.equal((await knex("people").count({ all: "*" }).first()).all, "30");
  await knex.destroy();
  console.log("all well");
}

main();
