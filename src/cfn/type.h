/* SPDX-License-Identifier: Apache-2.0 */
/* type.h - what a service tells CloudFormation about its resource types (src/svc/NAME/cfn.c).
 *
 * A type's functions run on a worker thread of the stack engine and act only through cfn_call: every step is a call
 * through the one door, as the stack's caller or role. Properties come resolved (no intrinsics). Functions may be run
 * again after a crash: create gets the token (stable for one attempt) and must find what an earlier run has made. */
#pragma once
#include "base/json.h"
#include "cfn/drift.h"
#include "cloud/cloud.h"

struct cfn_sibling { /* another resource of the stack */
	struct str type, physical_id;
	const struct json *props;
};
struct cfn_resource {
	struct arena *arena; /* of this step */
	struct str logical_id, type;
	struct str stack_name, stack_id;
	struct str region, account, partition;
	struct str token;                   /* idempotency token of this attempt */
	bool undo;                          /* update: back to what was before a failed update */
	const struct json *props;           /* new properties (create, update); NULL on delete */
	const struct json *old_props;       /* update, delete */
	const struct json *creation_policy; /* create: CreationPolicy, or NULL */
	struct str physical_id;             /* update, delete; create may find one already noted by cfn_note_physical */
	const struct json *attrs;           /* stored attributes (update, delete) */
	const struct json *stack_tags;      /* array of {Key, Value} to propagate */
	const struct cfn_sibling *siblings; /* a reader's: the whole stack, for what they attach to this resource */
	size_t n_siblings;
	/* results */
	struct str ret_physical_id; /* create (and update when it changed) */
	struct json *ret_props;     /* reader: what the resource is */
	struct json *ret_attrs;     /* object for Fn::GetAtt; the engine stores it */
	bool ret_no_echo;           /* the attributes are not to be shown */
	struct str error;           /* the failure's reason, shown as ResourceStatusReason */
	void *engine;               /* private */
};
/* cfn_call: a call by model member names. 0; or negative with *r->error filled as "MESSAGE (Service: X, Status Code: N,
 * Request ID: ...)" and *ret_code (may be NULL) the error code, so that "not found" on delete counts as done. */
int cfn_call(struct cfn_resource *r, const char *service, const char *op, const struct json *params, struct json **ret_out,
	     struct str *ret_code);
/* cfn_object reads an object of S3 as whoever the stack acts as; at most max bytes. Fails as cfn_call does. version may be absent. */
int cfn_object(struct cfn_resource *r, struct str bucket, struct str key, struct str version, size_t max, struct str *ret);
/* cfn_fail sets r->error; returns -ECANCELED. */
int cfn_fail(struct cfn_resource *r, const char *fmt, ...) _printf_(2, 3);
/* cfn_note_physical stores the physical id durably before slow or further steps, so that a crash leaves no orphan. */
int cfn_note_physical(struct cfn_resource *r, struct str physical_id);
/* cfn_name: STACK-LOGICAL-RANDOM as CloudFormation names what has no name, at most max bytes; lower: S3's rules. Stable for
 * one token. */
struct str cfn_name(struct cfn_resource *r, size_t max, bool lower);
/* cfn_tags merges the Tags property with stack tags and aws:cloudformation:* tags into an array of {Key, Value}. */
struct json *cfn_tags(struct cfn_resource *r);

/* What create, update and delete of a type that waits return when they are not done yet: the step ends without keeping a
 * thread, and is run again from its beginning when the engine is woken for it (engine_wake_step, engine_wake_stack). The
 * answers of its writing calls are remembered; reading calls are made again. */
#define CFN_WAIT 1

/* What a resource really is, for the detection of drift (src/cfn/reader.h has what readers share). */
struct cfn_reader {
	/* Fills ret_props with properties in the form of the type; props says which the template sets, others need not be looked
	 * for. Only reads. 0; -ENOENT: the resource is gone; negative with the reason in error. */
	int (*read)(struct cfn_resource *r);
	const struct drift_rule *rules; /* how properties are compared, ended by a NULL path; or NULL */
};

struct cfn_property {
	const char *name;
	enum { CFN_UPDATE, CFN_REPLACE, CFN_CONDITIONAL } on_change; /* CONDITIONAL: the type's replaces() decides */
	bool required;
};
struct cfn_type {
	const char *name; /* "AWS::KMS::Key" */
	const struct cfn_property
		*properties;           /* all known, ended by a NULL name; an unknown one fails the resource as CloudFormation does */
	const char *const *attributes; /* names for Fn::GetAtt, NULL-terminated */
	const char *name_property;     /* explicit name that needs CAPABILITY_NAMED_IAM / blocks replacement; or NULL */
	bool iam;                      /* needs CAPABILITY_IAM */
	const char *ref_attribute;     /* what Ref gives when it is not the physical id; NULL: the physical id */
	int (*create)(struct cfn_resource *r);
	int (*update)(struct cfn_resource *r); /* NULL: nothing can be updated in place */
	int (*delete)(struct cfn_resource *r);
	bool (*replaces)(struct cfn_resource *r, struct str property); /* for CFN_CONDITIONAL */
	/* Reads current attributes again (after update); NULL: stored ones stay. */
	int (*read)(struct cfn_resource *r);
	/* Is there something with this physical id, which may be taken over as it is? Fills ret_attrs. Only reads. -ENOENT. */
	int (*find)(struct cfn_resource *r);
	const struct cfn_reader *reader; /* NULL: drift is not detected */
	const char *const *identifiers;  /* properties that say the physical id for find, joined with "|"; NULL: name_property */
	bool waits;                      /* may return CFN_WAIT */
	bool open;                       /* any property and attribute */
	bool always;                     /* updated by every update of its stack */
};
