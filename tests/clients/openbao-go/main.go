// SPDX-License-Identifier: Apache-2.0

// An operator's day with github.com/openbao/openbao/api/v2. BAO_ADDR, BAO_CACERT and BAO_TOKEN (root) say where; the
// first thing that is not as it should be ends it with status 1.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"time"

	bao "github.com/openbao/openbao/api/v2"
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
	var refusal *bao.ResponseError
	if errors.As(err, &refusal) {
		return refusal.StatusCode
	}
	return 0
}

func lookAround(ctx context.Context, root *bao.Client) {
	seal, err := root.Sys().SealStatusWithContext(ctx)
	check("asking for the seal", err)
	expect("it is initialised and unsealed", seal.Initialized && !seal.Sealed && seal.StorageType == "raft")
	leader, err := root.Sys().LeaderWithContext(ctx)
	check("asking who leads", err)
	expect("this node leads", leader.HAEnabled && leader.IsSelf && leader.LeaderAddress == root.Address())
	members, err := root.Sys().HAStatusWithContext(ctx)
	check("asking for the members", err)
	expect("there is one, and it is active", len(members.Nodes) == 1 && members.Nodes[0].ActiveNode)
	state, err := root.Sys().RaftAutopilotStateWithContext(ctx)
	check("asking autopilot", err)
	expect("autopilot finds it healthy", state.Healthy && len(state.Servers) == 1 && len(state.Voters) == 1)
	var snapshot bytes.Buffer
	check("taking a snapshot", root.Sys().RaftSnapshotWithContext(ctx, &snapshot))
	expect("a snapshot is a gzip file", bytes.HasPrefix(snapshot.Bytes(), []byte{0x1f, 0x8b}))
}

func rotate(ctx context.Context, root *bao.Client) {
	before, err := root.Sys().KeyStatusWithContext(ctx)
	check("asking for the key", err)
	check("rotating it", root.Sys().RotateWithContext(ctx))
	after, err := root.Sys().KeyStatusWithContext(ctx)
	check("asking for the key again", err)
	expect("the key is the next one", after.Term == before.Term+1)
}

// People log in with a password, and may do what their policy says.
func letPeopleIn(ctx context.Context, root *bao.Client) *bao.Client {
	check("writing a policy", root.Sys().PutPolicyWithContext(ctx, "staff",
		`path "notes/*" { capabilities = ["create", "read", "update", "list"] }`))
	check("mounting", root.Sys().MountWithContext(ctx, "notes", &bao.MountInput{Type: "kv", Description: "notes"}))
	check("enabling userpass", root.Sys().EnableAuthWithOptionsWithContext(ctx, "userpass", &bao.EnableAuthOptions{Type: "userpass"}))
	_, err := root.Logical().WriteWithContext(ctx, "auth/userpass/users/sally", map[string]interface{}{
		"password": "pw", "token_policies": []string{"staff"}, "token_ttl": "10m"})
	check("making a user", err)
	sally, err := root.Clone()
	check("cloning a client", err)
	_, err = sally.Logical().WriteWithContext(ctx, "auth/userpass/login/sally", map[string]interface{}{"password": "wrong"})
	expect("a wrong password is refused", status(err) == 400)
	login, err := sally.Logical().WriteWithContext(ctx, "auth/userpass/login/sally", map[string]interface{}{"password": "pw"})
	check("logging in", err)
	sally.SetToken(login.Auth.ClientToken)
	return sally
}

func takeNotes(ctx context.Context, sally *bao.Client) {
	notes := sally.KVv1("notes")
	check("putting a note", notes.Put(ctx, "today", map[string]interface{}{"text": "päß ☃", "n": 12}))
	note, err := notes.Get(ctx, "today")
	check("getting it", err)
	expect("it is as it was", note.Data["text"] == "päß ☃" && fmt.Sprint(note.Data["n"]) == "12")
	list, err := sally.Logical().ListWithContext(ctx, "notes")
	check("listing notes", err)
	expect("there is one", fmt.Sprint(list.Data["keys"]) == "[today]")
	can, err := sally.Sys().CapabilitiesSelfWithContext(ctx, "notes/today")
	check("asking what one may do", err)
	sort.Strings(can)
	expect("it is what the policy says", fmt.Sprint(can) == "[create list read update]")
	expect("deleting is not among it", status(notes.Delete(ctx, "today")) == 403)
}

// A token of four seconds, kept alive beyond its first end, then revoked.
func keepAlive(ctx context.Context, root *bao.Client) {
	child, err := root.Auth().Token().CreateWithContext(ctx, &bao.TokenCreateRequest{
		Policies: []string{"staff"}, TTL: "4s", ExplicitMaxTTL: "1h", DisplayName: "watched"})
	check("creating a token", err)
	watcher, err := root.NewLifetimeWatcher(&bao.LifetimeWatcherInput{Secret: child, Increment: 4})
	check("making a watcher", err)
	go watcher.Start()
	defer watcher.Stop()
	begun := time.Now()
	for renewals := 0; time.Since(begun) < 5*time.Second || renewals < 2; renewals++ {
		select {
		case renewal := <-watcher.RenewCh():
			expect("a renewal is as long as was asked", renewal.Secret.Auth.LeaseDuration == 4)
		case err := <-watcher.DoneCh():
			check("watching the lease", fmt.Errorf("it ended too early: %v", err))
		case <-time.After(20 * time.Second):
			check("watching the lease", errors.New("no renewal came"))
		}
	}
	check("revoking it", root.Auth().Token().RevokeTreeWithContext(ctx, child.Auth.ClientToken))
	_, err = root.Auth().Token().LookupWithContext(ctx, child.Auth.ClientToken)
	expect("what is revoked is gone", status(err) == 403)
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	root, err := bao.NewClient(bao.DefaultConfig())
	check("making a client", err)
	lookAround(ctx, root)
	rotate(ctx, root)
	takeNotes(ctx, letPeopleIn(ctx, root))
	keepAlive(ctx, root)
	check("revoking all logins", root.Sys().RevokePrefixWithContext(ctx, "auth/userpass"))
	check("disabling userpass", root.Sys().DisableAuthWithContext(ctx, "userpass"))
	check("unmounting", root.Sys().UnmountWithContext(ctx, "notes"))
	check("deleting the policy", root.Sys().DeletePolicyWithContext(ctx, "staff"))
	fmt.Println("all is well")
}
