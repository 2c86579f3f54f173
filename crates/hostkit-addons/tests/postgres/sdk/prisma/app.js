// A program as people write it with Prisma: its client on the pooled address, many at once, transactions.
const assert = require("node:assert");
const { PrismaPg } = require("@prisma/adapter-pg");
const { PrismaClient } = require("./made");

async function main() {
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: process.env.POSTGRES_PRISMA_URL }) });
  const one = (number) =>
    prisma.$transaction(
      async (tx) => {
        const person = await tx.person.create({ data: { name: `p${number}`, notes: { create: { text: "hello" } } } });
        return (await tx.person.findUniqueOrThrow({ where: { id: person.id }, include: { notes: true } })).notes.length;
      },
      { maxWait: 30000, timeout: 30000 },
    );
  const counts = await Promise.all(Array.from({ length: 30 }, (_, number) => one(number)));
  assert.deepEqual(counts, Array(30).fill(1));
  await assert.rejects(one(3), { code: "P2002" });
  assert.equal(await prisma.person.count(), 30);
  const [{ all }] = await prisma.$queryRaw`SELECT count(*)::int AS "all" FROM "Note" WHERE text = ${"hello"}`;
  assert.equal(all, 30);
  await prisma.$disconnect();
  console.log("all well");
}

main();
