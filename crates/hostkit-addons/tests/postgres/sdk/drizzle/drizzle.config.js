// Migrations go over the direct connection.
module.exports = {
  dialect: "postgresql",
  schema: "./schema.js",
  out: "./migrations",
  dbCredentials: { url: process.env.DIRECT_URL },
};
