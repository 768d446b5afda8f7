/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - what is stored about stacks, in the store of their region. Shared by the engine and the service.
 *
 *   cfn.stack  account, id            Stack            cfn.res   account, id, logical id             Resource
 *   cfn.name   account, name          id of the live   cfn.prev  account, id, logical id             Resource before an update
 *   cfn.live   account, newest first  id               cfn.old   account, id, logical id, physical   Resource to be deleted
 *   cfn.all    account, newest first  id               cfn.event account, id, newest first           Event
 *   cfn.tpl    account, id, template  text             cfn.cs    account, id, name                   ChangeSet
 *   cfn.export account, name          Export           cfn.csid  account, change set's id            stack's id
 *   cfn.import account, name, id      stack's name     cfn.token account, what, token                Token
 *   cfn.drift  account, id, logical id   Drift: what was found; op: of the stack as it was then
 *   cfn.detection "", detection id    Detection        cfn.detecting "", stack id      id of the detection that runs
 *   cfn.ask    "", request id         Ask: a request to somebody outside that is under way
 *   cfn.op     "", id, operation      Op: exactly the operations that are not finished; the engine resumes them at start
 *   cfn.journal "", operation, logical id, tag, number   answers of calls made by a step that is not recorded yet
 *
 * Values that may be secret (properties, attributes, journal, NoEcho parameters) are sealed with a key of the cloud. */
#pragma once
#include "cfn/template.h"
#include "cfn/type.h"
#include "gen_cfn_rec.h"

#define STACK_TYPE "AWS::CloudFormation::Stack"
#define STACK_KEEP_MS (90LL * 86400000)    /* deleted stacks can be looked at for 90 days */
#define DETECTION_KEEP_MS (7LL * 86400000) /* the status of a detection can be asked for */
#define TOKEN_KEEP_MS (7LL * 86400000)     /* a client token is known for a week */

/* --- keys --- */
void stack_key(struct keybuf *k, struct str account, const char *table, struct str id);
void stack_key2(struct keybuf *k, struct str account, const char *table, struct str id, struct str second);
void stack_key3(struct keybuf *k, struct str account, const char *table, struct str id, struct str second, struct str third);
void op_key(struct keybuf *k, struct str stack, struct str op);

/* --- stacks --- */
int stack_load(struct store_txn *t, struct arena *a, struct str account, struct str id, struct cfn_rec_stack *ret);
/* stack_lookup takes a name (of a stack that is not deleted) or an ARN (of any). -ENOENT. */
int stack_lookup(struct store_txn *t, struct arena *a, struct str account, struct str region, struct str name_or_arn,
		 struct cfn_rec_stack *ret);
int stack_save(struct store_txn *t, const struct cfn_rec_stack *s);
int stack_add(struct store_txn *t, const struct cfn_rec_stack *s);    /* a new one, with its name and its places in the lists */
int stack_unlist(struct store_txn *t, const struct cfn_rec_stack *s); /* deleted: its name is free again */
int stack_forget(struct store_txn *t, struct arena *a, const struct cfn_rec_stack *s); /* removes everything */
int stack_template(struct store_txn *t, struct arena *a, const struct cfn_rec_stack *s, struct str id, struct str *ret);
/* stack_sweep drops the texts that neither the stack nor one of its change sets has. */
int stack_sweep(struct store_txn *t, struct arena *a, const struct cfn_rec_stack *s);
/* change_sets_outdate: the stack changes in another way, those that could be run can no longer. */
int change_sets_outdate(struct store_txn *t, struct arena *a, const struct cfn_rec_stack *s);
/* change_sets_drop removes a stack's change sets, but the one named keep (absent: all). */
int change_sets_drop(struct store_txn *t, struct arena *a, const struct cfn_rec_stack *s, struct str keep);
int stack_put_template(struct store_txn *t, const struct cfn_rec_stack *s, struct str id, struct str text);
/* stack_status sets status and reason, saves the stack and adds its event. token may be absent. */
int stack_status(struct store_txn *t, struct arena *a, struct cfn_rec_stack *s, const char *status, struct str reason, struct str token,
		 int64_t now_ms);
bool status_is_final(struct str status); /* no operation is under way */

/* --- rows of a stack --- */
struct resource_rows {
	struct cfn_rec_resource *v;
	size_t n;
};
int resources_load(struct store_txn *t, struct arena *a, struct str account, const char *table, struct str id, struct resource_rows *ret);
int resource_put(struct store_txn *t, struct str account, const char *table, struct str id, const struct cfn_rec_resource *r);
int event_put(struct store_txn *t, struct arena *a, struct str account, struct str stack, const struct cfn_rec_event *e);
int event_put_text(struct store_txn *t, struct str account, struct str stack, struct str event); /* encoded */
int rows_delete(struct store_txn *t, const struct keybuf *prefix);                               /* everything under a prefix */

/* --- secrets --- */
struct str state_seal(struct cloud *cl, struct arena *a, struct str plain);
int state_open(struct cloud *cl, struct arena *a, struct str sealed, struct str *ret);        /* -EBADMSG */
struct str state_seal_json(struct cloud *cl, struct arena *a, const struct json *j);          /* NULL: absent */
int state_open_json(struct cloud *cl, struct arena *a, struct str sealed, struct json **ret); /* absent: NULL */
/* parameters_store: values as they are kept; parameters_open: back again. */
void parameters_store(struct cloud *cl, struct arena *a, const struct template_ctx *c, struct cfn_rec_parameter_list *ret);
int parameters_open(struct cloud *cl, struct arena *a, const struct cfn_rec_parameter_list *l, struct str_map *ret_texts,
		    struct str_map *ret_resolved);

/* --- asks (asks.c): what somebody outside is to answer, under the request's id; the key is (account "", "cfn.ask", id) --- */
int ask_load(struct store_txn *t, struct arena *a, struct str id, struct cfn_rec_ask *ret); /* -ENOENT */
int ask_put(struct store_txn *t, const struct cfn_rec_ask *ask);
int ask_delete(struct store_txn *t, struct str id); /* with its time; 0 when there is none */
/* ask_url: where the answer is to go, an HTTPS URL of this cloud that nobody can guess. */
struct str ask_url(struct cloud *cl, struct arena *a, const struct cfn_rec_ask *ask, struct str region);
void ask_key_bytes(struct cloud *cl, uint8_t key[32]); /* what signs these URLs */

/* --- resource types --- */
extern const struct cfn_type type_custom, type_wait_handle, type_wait, type_stack;
const struct cfn_type *type_find(struct cloud *cl, struct str name); /* NULL: not known here */
const struct cfn_property *type_property(const struct cfn_type *t, struct str name);
/* type_check: are these properties the type's? 0, or -EINVAL with CloudFormation's sentence. */
int type_check(struct arena *a, const struct cfn_type *t, const struct json *props, struct str *ret_err);
/* type_replaces: must a change of the property replace the resource? props and old_props may be looked at. */
bool type_replaces(const struct cfn_type *t, struct cfn_resource *r, struct str property);
/* type_tag adds the stack's tags to the Tags of a resource, where its type has them. */
void type_tag(struct arena *a, const struct cfn_type *t, struct json *props, const struct str_map *tags);
