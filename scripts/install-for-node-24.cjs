// Preloaded into npm by bootstrap.sh. npm leaves out optional packages, such as native bindings, whose `engines` do not
// admit the Node that npm itself runs on. Ours are run by the Node in package-lock.json, so that is the one to ask about.
const { basename } = require('node:path');

if (['npm', 'npm-cli.js'].includes(basename(process.argv[1] ?? ''))) {
  const { packages } = require('../package-lock.json');
  Object.defineProperty(process, 'version', {
    ...Object.getOwnPropertyDescriptor(process, 'version'),
    value: `v${packages['node_modules/node'].version}`,
  });
}
