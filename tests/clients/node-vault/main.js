// SPDX-License-Identifier: Apache-2.0
//
// An application's day with node-vault. VAULT_ADDR, VAULT_TOKEN (root) and NODE_EXTRA_CA_CERTS say where; the first thing
// that is not as it should be ends it with status 1.
'use strict';

const assert = require('node:assert');
const connect = require('node-vault');

const options = { apiVersion: 'v1', endpoint: process.env.VAULT_ADDR };
const root = connect({ ...options, token: process.env.VAULT_TOKEN });

async function refused(status, call) {
  await assert.rejects(call, (error) => error.response && error.response.statusCode === status);
}

async function prepare() {
  const health = await root.health();
  assert.ok(health.initialized && !health.sealed);
  await root.mount({ mount_point: 'node', type: 'kv', description: 'of a test', options: { version: '2' } });
  assert.strictEqual((await root.mounts())['node/'].type, 'kv');
  await root.addPolicy({ name: 'node', rules: 'path "node/*" { capabilities = ["create", "read", "update", "delete", "list"] }' });
  assert.ok((await root.policies()).policies.includes('node'));
  await root.enableAuth({ mount_point: 'approle', type: 'approle' });
  await root.addApproleRole({ role_name: 'node', policies: 'node', token_ttl: 1200 });
  const { role_id } = (await root.getApproleRoleId({ role_name: 'node' })).data;
  const { secret_id } = (await root.getApproleRoleSecret({ role_name: 'node' })).data;
  return { role_id, secret_id };
}

async function useSecrets(app) {
  await app.write('node/data/db', { data: { user: 'app', password: 'päß ☃' } });
  const read = await app.read('node/data/db');
  assert.deepStrictEqual(read.data.data, { user: 'app', password: 'päß ☃' });
  assert.strictEqual(read.data.metadata.version, 1);
  assert.deepStrictEqual((await app.list('node/metadata')).data.keys, ['db']);
  await app.delete('node/data/db');
  await refused(404, () => app.read('node/data/db'));
  await refused(403, () => app.read('sys/mounts'));
}

async function mindTheToken(app) {
  const before = (await app.tokenLookupSelf()).data;
  assert.strictEqual(before.creation_ttl, 1200);
  const renewed = await app.tokenRenewSelf({ increment: '5m' });
  assert.strictEqual(renewed.auth.lease_duration, 300);
  // A client takes on the token that it makes.
  const maker = connect({ ...options, token: process.env.VAULT_TOKEN });
  const child = (await maker.tokenCreate({ policies: ['node'], ttl: '1h', meta: { made: 'by node' } })).auth;
  assert.strictEqual((await root.tokenLookup({ token: child.client_token })).data.meta.made, 'by node');
  await root.tokenRevoke({ token: child.client_token });
  await refused(403, () => root.tokenLookup({ token: child.client_token }));
  await app.tokenRevokeSelf();
  await refused(403, () => app.tokenLookupSelf());
}

async function main() {
  const app = connect(options);
  const login = await app.approleLogin(await prepare());
  assert.deepStrictEqual(login.auth.token_policies, ['default', 'node']);
  assert.strictEqual(app.token, login.auth.client_token);
  await useSecrets(app);
  await mindTheToken(app);
  await root.disableAuth({ mount_point: 'approle' });
  await root.unmount({ mount_point: 'node' });
  await root.removePolicy({ name: 'node' });
  console.log('all is well');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
