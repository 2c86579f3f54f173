// Without the engines that Prisma fetches from its own site: the ones of WebAssembly that its package brings.
import { PrismaPg } from "@prisma/adapter-pg";

export default {
  experimental: { adapter: true },
  engine: "js",
  schema: "schema.prisma",
  adapter: async () => new PrismaPg({ connectionString: process.env.DIRECT_URL }),
};
