const { integer, pgTable, serial, text } = require("drizzle-orm/pg-core");

const people = pgTable("people", { id: serial().primaryKey(), name: text().notNull().unique() });
const notes = pgTable("notes", {
  id: serial().primaryKey(),
  text: text().notNull(),
  personId: integer().notNull().references(() => people.id),
});

module.exports = { people, notes };
