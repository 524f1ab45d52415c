/* SPDX-License-Identifier: ISC */
/* Page after page, from a front that may lie: there is an end to it. */
#include <unistd.h>

#include "abi/kin.h"
#include "cli/family_members.h"
#include "monitor/families/request.h"

#define PAGES_MAX MEMBERS_MAX

int members_ask(int connection, json_t *into, struct error *err)
{
	json_t *list = json_array();
	json_int_t from = 0;

	json_object_set_new(into, "members", list);
	for (int pages = 0; pages < PAGES_MAX; pages++) {
		json_t *page =
			control_ask(connection, REQUEST_members, json_pack("{s:I}", "from", from), err);

		if (!page)
			return -1;
		json_array_extend(list, json_object_get(page, "members"));
		from = json_integer_value(json_object_get(page, "next"));
		json_object_del(page, "members");
		json_object_del(page, "next");
		json_object_del(page, "version");
		json_object_update(into, page);
		json_decref(page);
		if (from <= 0 || from >= MEMBERS_MAX)
			break;
	}
	return 0;
}

int family_members(const struct family_dir *dir, json_t *into, struct error *err)
{
	int fd = control_connect(dir, err), r = -1;

	if (fd >= 0) {
		r = members_ask(fd, into, err);
		close(fd);
	}
	return r;
}
