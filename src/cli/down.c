/* SPDX-License-Identifier: Apache-2.0 */
/* down.c - `cloudkeep down`: stops the cloud of a data directory and waits until it is gone. */
#include "cli/cli.h"
#include <errno.h>
#include <signal.h>

#define WAIT_MS 15000
#define STEP_MS 2

static bool alive(pid_t p)
{
	return p > 0 && (kill(p, 0) == 0 || errno == EPERM);
}

static int run(struct cli *c)
{
	struct json *q = json_new(&c->arena, JSON_OBJECT), *a;
	struct timespec step = { .tv_nsec = STEP_MS * 1000000 };
	int64_t until = clock_mono_ms() + WAIT_MS;
	struct state st;
	int r = state_read(c, &st);

	if (r == -ENOENT || r == -ENOTDIR) {
		if (c->json)
			puts("{\"stopped\":false}");
		else
			printf("Nothing runs in %s.\n", c->data);
		return 0;
	}
	json_set_str(&c->arena, q, "do", S("stop"));
	r = admin_ask(c, q, &a);
	if (r != 0)
		return r;
	while (alive(st.pid) || alive(st.supervisor)) {
		if (clock_mono_ms() > until)
			return cli_error("Look into its log; as a last resort: kill -9 (nothing that was acknowledged is lost).",
					 "process %d was told to stop and still runs", (int)st.pid);
		(void)nanosleep(&step, NULL);
	}
	if (c->json)
		puts("{\"stopped\":true}");
	else
		printf("Stopped. The data stay in %s.\n", c->data);
	return 0;
}

const struct cli_command cmd_down = {
	.name = "down",
	.what = "stop the cloud",
	.text = "Stops the cloud of a data directory and returns when it is gone. Its data stay; `cloudkeep up` goes on with them.\n"
		"Fine when nothing runs.",
	.examples = "  cloudkeep down\n  cloudkeep down --data /tmp/try && rm -r /tmp/try    # stop it and forget it",
	.run = run,
};
