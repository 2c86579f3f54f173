exports.up = (knex) =>
  knex.schema.createTable("people", (table) => {
    table.increments("id");
    table.string("name", 50).notNullable().unique();
  });
exports.down = (knex) => knex.schema.dropTable("people");
