// Lets scripts import libraries that lie in another folder: `node --import resolver.mjs?from=file:///…/package.json`.
import { register } from 'node:module';

const from = new URL(import.meta.url).searchParams.get('from');
const hooks = `
  const from = ${JSON.stringify(from)};
  export const resolve = (name, context, next) =>
    /^(\\.|\\/|node:|file:)/.test(name) || context.parentURL?.includes('/node_modules/')
      ? next(name, context)
      : next(name, { ...context, parentURL: from });
`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
