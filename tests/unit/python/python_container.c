/* SPDX-License-Identifier: MIT */
/* Names of containers, from cgroups as their programs make them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "python/process/container.h"

#define ID "4f5e6d7c8b9a00112233445566778899aabbccddeeff00112233445566778899"

static void assert_name(const char *text, const char *expected)
{
	char name[CONTAINER_NAME_MAX];

	container_name_parse(text, name);
	assert_string_equal(name, expected);
}

static void test_names(void **state)
{
	assert_name("0::/system.slice/docker-" ID ".scope\n", "docker 4f5e6d7c8b9a");
	assert_name("12:pids:/docker/" ID "\n11:cpu:/docker/" ID "\n", "docker 4f5e6d7c8b9a");
	assert_name("0::/docker/" ID "/app\n", "docker 4f5e6d7c8b9a");
	assert_name("0::/machine.slice/libpod-" ID ".scope/container\n", "podman 4f5e6d7c8b9a");
	assert_name("0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1b2c_3d4e."
		    "slice/cri-containerd-" ID ".scope\n",
		    "containerd 4f5e6d7c8b9a");
	assert_name("0::/kubepods/besteffort/pod1b2c-3d4e/" ID "\n", "container 4f5e6d7c8b9a");
	assert_name("0::/kubepods.slice/crio-" ID ".scope\n", "CRI-O 4f5e6d7c8b9a");
	assert_name("0::/../docker-" ID ".scope\n", "docker 4f5e6d7c8b9a");
	assert_name("0::/lxc.payload.web-1/system.slice/app.service\n", "LXC web-1");
	assert_name("9:cpuset:/lxc/web-1\n", "LXC web-1");
	assert_name("0::/machine.slice/machine-web.scope/payload\n", "machine web");
	/* version 1 beside version 2: the unified hierarchy may be empty */
	assert_name("2:cpu:/docker/" ID "\n0::/\n", "docker 4f5e6d7c8b9a");
	assert_name("0::/\n2:cpu:/docker/" ID "\n", "docker 4f5e6d7c8b9a");
}

static void test_what_is_no_container(void **state)
{
	assert_name("", "");
	assert_name("0::/\n", "");
	assert_name("0::/user.slice/user-0.slice/session-1.scope\n", "");
	assert_name("0::/system.slice/uvicorn.service\n", "");
	assert_name("0::/docker-4f5e6d7c8b9a.scope\n", "");
	assert_name("0::/f" ID "\n", ""); /* 65 digits are no id */
	assert_name("0::/lxc/\n", "");
	assert_name("/docker/" ID "\n", "");
}

/* Cut, long and binary; the sanitizers watch. */
static void test_hostile_text(void **state)
{
	char text[4096], name[CONTAINER_NAME_MAX];

	srandom(7);
	for (int round = 0; round < 3000; round++) {
		size_t length = (size_t)random() % sizeof(text);
		const char *parts[] = {"0::/", "docker-", ID, ".scope", "\n", "/lxc/", ":", "\xff"};

		text[0] = '\0';
		while (strlen(text) + sizeof(ID) < length)
			strcat(text, parts[(size_t)random() % 8]);
		container_name_parse(text, name);
		assert_true(strlen(name) < CONTAINER_NAME_MAX);
	}
	container_name(getpid(), name);
	container_name(-1, name);
	assert_string_equal(name, "");
	assert_false(container_has_pid(getpid(), (uint32_t)getpid()));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_what_is_no_container),
		cmocka_unit_test(test_hostile_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
