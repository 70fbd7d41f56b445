// SPDX-License-Identifier: Apache-2.0

// A day of an application that speaks to its secrets server through github.com/hashicorp/vault/api. VAULT_ADDR,
// VAULT_CACERT and VAULT_TOKEN (root) say where; the first thing that is not as it should be ends it with status 1.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	vault "github.com/hashicorp/vault/api"
)

func check(doing string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", doing, err)
		os.Exit(1)
	}
}

func expect(what string, ok bool) {
	if !ok {
		check(what, errors.New("it is not so"))
	}
}

func status(err error) int {
	var refusal *vault.ResponseError
	if errors.As(err, &refusal) {
		return refusal.StatusCode
	}
	return 0
}

// The operator's part: a mount, a policy, a role; returns what the application is given.
func prepare(ctx context.Context, root *vault.Client) (roleID, secretID string) {
	health, err := root.Sys().HealthWithContext(ctx)
	check("asking for health", err)
	expect("the server is initialised and unsealed", health.Initialized && !health.Sealed)
	check("mounting", root.Sys().MountWithContext(ctx, "app", &vault.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))
	mounts, err := root.Sys().ListMountsWithContext(ctx)
	check("listing mounts", err)
	expect("the mount has its version", mounts["app/"].Type == "kv" && mounts["app/"].Options["version"] == "2")
	check("writing a policy", root.Sys().PutPolicyWithContext(ctx, "app",
		`path "app/*" { capabilities = ["create", "read", "update", "delete", "list", "patch"] }`))
	check("enabling approle", root.Sys().EnableAuthWithOptionsWithContext(ctx, "approle", &vault.EnableAuthOptions{Type: "approle"}))
	_, err = root.Logical().WriteWithContext(ctx, "auth/approle/role/app", map[string]interface{}{
		"token_policies": "app", "token_ttl": "4s", "token_max_ttl": "1h"})
	check("writing a role", err)
	role, err := root.Logical().ReadWithContext(ctx, "auth/approle/role/app/role-id")
	check("reading its id", err)
	// Wrapped, so that only the application sees it.
	root.SetWrappingLookupFunc(func(string, string) string { return "1m" })
	secret, err := root.Logical().WriteWithContext(ctx, "auth/approle/role/app/secret-id", nil)
	check("making a secret id", err)
	root.SetWrappingLookupFunc(nil)
	return role.Data["role_id"].(string), secret.WrapInfo.Token
}

func login(ctx context.Context, app *vault.Client, roleID, wrapped string) *vault.Secret {
	secret, err := app.Logical().UnwrapWithContext(ctx, wrapped)
	check("unwrapping the secret id", err)
	_, err = app.Logical().UnwrapWithContext(ctx, wrapped)
	expect("nothing is unwrapped twice", status(err) == 400)
	auth, err := app.Logical().WriteWithContext(ctx, "auth/approle/login", map[string]interface{}{
		"role_id": roleID, "secret_id": secret.Data["secret_id"]})
	check("logging in", err)
	expect("the login has the role's policies", len(auth.Auth.TokenPolicies) == 2 && auth.Auth.Renewable)
	app.SetToken(auth.Auth.ClientToken)
	return auth
}

func useSecrets(ctx context.Context, app *vault.Client) {
	kv := app.KVv2("app")
	made, err := kv.Put(ctx, "db", map[string]interface{}{"user": "app", "password": "one"})
	check("putting a secret", err)
	expect("it is the first version", made.VersionMetadata.Version == 1)
	_, err = kv.Put(ctx, "db", map[string]interface{}{"user": "app"}, vault.WithCheckAndSet(0))
	expect("check-and-set refuses", status(err) == 400)
	made, err = kv.Patch(ctx, "db", map[string]interface{}{"password": "two"})
	check("patching it", err)
	expect("a patch makes a version", made.VersionMetadata.Version == 2)
	read, err := kv.Get(ctx, "db")
	check("getting it", err)
	expect("a patch keeps the rest", read.Data["user"] == "app" && read.Data["password"] == "two")
	old, err := kv.GetVersion(ctx, "db", 1)
	check("getting the first version", err)
	expect("old versions stay", old.Data["password"] == "one")
	_, err = kv.Rollback(ctx, "db", 1)
	check("rolling back", err)
	versions, err := kv.GetVersionsAsList(ctx, "db")
	check("listing versions", err)
	expect("there are three", len(versions) == 3)
	check("deleting it", kv.Delete(ctx, "db"))
	check("undeleting it", kv.Undelete(ctx, "db", []int{3}))
	_, err = kv.Get(ctx, "nothing")
	expect("what is not there is not found", errors.Is(err, vault.ErrSecretNotFound))
	_, err = app.Sys().ListMountsWithContext(ctx)
	expect("what the policy does not name is denied", status(err) == 403)
}

// Its token lives for four seconds; the watcher keeps it alive beyond.
func stayAlive(ctx context.Context, app *vault.Client, auth *vault.Secret) {
	watcher, err := app.NewLifetimeWatcher(&vault.LifetimeWatcherInput{Secret: auth})
	check("making a watcher", err)
	go watcher.Start()
	defer watcher.Stop()
	begun := time.Now()
	for renewals := 0; time.Since(begun) < 5*time.Second || renewals < 2; renewals++ {
		select {
		case renewal := <-watcher.RenewCh():
			expect("a renewal gives a lease", renewal.Secret.Auth.LeaseDuration > 0)
		case err := <-watcher.DoneCh():
			check("watching the lease", fmt.Errorf("it ended too early: %v", err))
		case <-time.After(20 * time.Second):
			check("watching the lease", errors.New("no renewal came"))
		}
	}
	self, err := app.Auth().Token().LookupSelfWithContext(ctx)
	check("looking up the token after its first end", err)
	name, err := self.TokenMetadata()
	check("reading its metadata", err)
	expect("the token is the role's", name["role_name"] == "app")
	check("revoking oneself", app.Auth().Token().RevokeSelfWithContext(ctx, ""))
	_, err = app.Auth().Token().LookupSelfWithContext(ctx)
	expect("what is revoked is denied", status(err) == 403)
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	root, err := vault.NewClient(vault.DefaultConfig())
	check("making a client", err)
	roleID, wrapped := prepare(ctx, root)
	app, err := root.Clone()
	check("cloning a client", err)
	auth := login(ctx, app, roleID, wrapped)
	useSecrets(ctx, app)
	stayAlive(ctx, app, auth)
	check("disabling approle", root.Sys().DisableAuthWithContext(ctx, "approle"))
	check("unmounting", root.Sys().UnmountWithContext(ctx, "app"))
	check("deleting the policy", root.Sys().DeletePolicyWithContext(ctx, "app"))
	fmt.Println("all is well")
}
