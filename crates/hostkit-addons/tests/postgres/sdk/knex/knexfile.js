// Migrations go over the direct connection.
module.exports = { client: "pg", connection: process.env.DIRECT_URL, migrations: { directory: "./migrations" } };
