/* SPDX-License-Identifier: MIT */
#include "symbols/handler.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/handler_rules.h"

/* What is known of a function; a byte so that 0 is "not asked yet". */
struct kind {
	uint8_t known, application;
	uint8_t rule; /* index + 1 of the rule whose file and function fit; 0: none */
};

struct handler_finder {
	char **app_roots;
	size_t *app_root_lengths;
	unsigned int app_root_count;
	struct kind *kinds;	  /* by function id */
	struct handler *handlers; /* by stack id … */
	bool *found;		  /* … where they are known */
	bool *plain;		  /* by function id: it was called by a loop, and is no coroutine */
	uint32_t kind_room, handler_room, plain_room;
};

const char *handler_role_name(enum handler_role role)
{
	static const char *const names[HANDLER_ROLES] = {
		[HANDLER_NONE] = "none",
		[HANDLER_ROUTE] = "route",
		[HANDLER_DEPENDENCY] = "dependency",
		[HANDLER_MIDDLEWARE] = "middleware",
		[HANDLER_BACKGROUND] = "background",
		[HANDLER_EXECUTOR] = "executor",
		[HANDLER_THREAD] = "thread",
		[HANDLER_TASK] = "task",
		[HANDLER_CALLBACK] = "callback",
		[HANDLER_FRAME] = "frame",
	};

	return role < HANDLER_ROLES ? names[role] : NULL;
}

struct handler_finder *handler_finder_new(const char *const *app_roots, unsigned int app_root_count)
{
	struct handler_finder *finder = calloc(1, sizeof(*finder));

	if (!finder || !app_root_count)
		return finder;
	finder->app_roots = calloc(app_root_count, sizeof(*finder->app_roots));
	finder->app_root_lengths = calloc(app_root_count, sizeof(*finder->app_root_lengths));
	for (unsigned int i = 0;
	     finder->app_roots && finder->app_root_lengths && i < app_root_count; i++) {
		finder->app_roots[i] = strdup(app_roots[i]);
		if (!finder->app_roots[i])
			break;
		finder->app_root_lengths[i] = strlen(app_roots[i]);
		while (finder->app_root_lengths[i] &&
		       app_roots[i][finder->app_root_lengths[i] - 1] == '/')
			finder->app_root_lengths[i]--;
		finder->app_root_count++;
	}
	if (finder->app_root_count == app_root_count)
		return finder;
	handler_finder_free(finder);
	return NULL;
}

void handler_finder_free(struct handler_finder *finder)
{
	if (!finder)
		return;
	for (unsigned int i = 0; i < finder->app_root_count; i++)
		free(finder->app_roots[i]);
	free(finder->app_roots);
	free(finder->app_root_lengths);
	free(finder->kinds);
	free(finder->handlers);
	free(finder->found);
	free(finder->plain);
	free(finder);
}

/* ── whose file ──────────────────────────────────────────────────────────── */

static bool segment_is(const char *segment, size_t length, const char *name)
{
	return length == strlen(name) && memcmp(segment, name, length) == 0;
}

/* "python3.11", with `t` behind it in free-threaded builds; or the zipped standard library
 * "python311.zip" */
static bool is_python_dir(const char *segment, size_t length, bool *ret_zip)
{
	size_t i = 7;

	*ret_zip = false;
	if (length < 8 || memcmp(segment, "python3", 7) != 0)
		return false;
	if (segment[i] == '.')
		i++;
	while (i < length && isdigit((unsigned char)segment[i]))
		i++;
	*ret_zip = segment_is(segment + i, length - i, ".zip");
	return (segment[7] == '.' && i > 8 &&
		(i == length || segment_is(segment + i, length - i, "t"))) ||
	       *ret_zip;
}

/* Below the standard library (lib or lib64, then python3.N, as every installation and virtual
 * environment has it) or below installed packages. */
static bool in_library(const char *file)
{
	bool after_lib = false, zip;

	for (const char *segment = file; *segment;) {
		size_t length = strcspn(segment, "/");

		if (segment[length] == '/' && (segment_is(segment, length, "site-packages") ||
					       segment_is(segment, length, "dist-packages")))
			return true;
		if (segment[length] == '/' && is_python_dir(segment, length, &zip) &&
		    (after_lib || zip))
			return true;
		after_lib = segment_is(segment, length, "lib") ||
			    segment_is(segment, length, "lib64");
		segment += length + (segment[length] == '/');
	}
	return false;
}

/* Code that is made at run time tells no file. What a program execs itself is its own ("<string>");
 * these are made by libraries, or frozen. */
static bool made_by_library(const char *file)
{
	static const char *const begins[] = {"<frozen ", "<attrs generated ", "<decorator-gen-",
					     "<__array_function__ "};

	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
		if (strncmp(file, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

bool handler_is_application(const struct handler_finder *finder, const char *file)
{
	for (unsigned int i = 0; i < finder->app_root_count; i++) {
		size_t length = finder->app_root_lengths[i];

		if (strncmp(file, finder->app_roots[i], length) == 0 &&
		    (file[length] == '/' || !file[length]))
			return true;
	}
	return !made_by_library(file) && !in_library(file);
}

/* ── which rule ──────────────────────────────────────────────────────────── */

static const char *last_part(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

/* `text` ends with `end`, which begins there after `separator` or at the begin. */
static bool ends_with(const char *text, const char *end, char separator)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && memcmp(text + length - end_length, end, end_length) == 0 &&
	       (length == end_length || text[length - end_length - 1] == separator);
}

/* `path` is a library's, below a directory whose path ends with `directory`, which ends with '/'.
 * The application's directories have any names. */
static bool is_below(const struct handler_finder *finder, const char *path, const char *directory)
{
	if (handler_is_application(finder, path))
		return false;
	for (const char *at = path; (at = strstr(at, directory)); at++)
		if (at == path || at[-1] == '/')
			return true;
	return false;
}

static bool is_path(const char *rule)
{
	return rule[strlen(rule) - 1] == '/';
}

static bool rule_fits(const struct handler_finder *finder, const struct handler_rule *rule,
		      const struct definition *function)
{
	const char *name = function->function.name, *file = function->function.file;

	if (is_path(rule->file) ? !is_below(finder, file, rule->file)
				: !ends_with(file, rule->file, '/'))
		return false;
	/* before 3.11 names are not qualified, and later those of a module's functions look the
	 * same */
	return ends_with(name, rule->function, '.') || strcmp(name, last_part(rule->function)) == 0;
}

static bool outer_fits(const struct handler_finder *finder, const struct handler_rule *rule,
		       const struct definition *outer)
{
	if (!rule->outer)
		return true;
	if (!outer)
		return false;
	return is_path(rule->outer) ? is_below(finder, outer->function.file, rule->outer)
				    : strcmp(last_part(outer->function.name), rule->outer) == 0;
}

static struct kind kind_of(const struct handler_finder *finder, const struct definition *function)
{
	struct kind kind = {.known = 1};

	for (unsigned int i = 0; i < handler_rule_count && !kind.rule; i++)
		if (rule_fits(finder, &handler_rules[i], function))
			kind.rule = (uint8_t)(i + 1);
	kind.application = !kind.rule && handler_is_application(finder, function->function.file);
	return kind;
}

/* Room for items up to `index`, zeroed. */
static bool reserve(void **items, uint32_t *room, uint32_t index, size_t size)
{
	uint32_t wanted = *room ? *room : 256;
	char *grown;

	if (index < *room)
		return true;
	while (wanted <= index)
		wanted *= 2;
	grown = reallocarray(*items, wanted, size);
	if (!grown)
		return false;
	memset(grown + *room * size, 0, (wanted - *room) * size);
	*items = grown;
	*room = wanted;
	return true;
}

/* Kept, unless memory is short. */
static struct kind kind_get(struct handler_finder *finder, const struct definition *function)
{
	bool kept = reserve((void **)&finder->kinds, &finder->kind_room, function->id,
			    sizeof(*finder->kinds));
	struct kind kind;

	if (kept && finder->kinds[function->id].known)
		return finder->kinds[function->id];
	kind = kind_of(finder, function);
	if (kept)
		finder->kinds[function->id] = kind;
	return kind;
}

/* ── the search ──────────────────────────────────────────────────────────── */

struct search {
	struct handler_finder *finder;
	const struct dictionary *dictionary;
	const struct stack_frame *frames;
	uint32_t count;
};

static const struct definition *function_at(const struct search *search, uint32_t index)
{
	return index < search->count ? dictionary_find(search->dictionary, DEFINE_FUNCTION,
						       search->frames[index].function)
				     : NULL;
}

static bool application_at(const struct search *search, uint32_t index)
{
	const struct definition *function = function_at(search, index);

	return function && kind_get(search->finder, function).application;
}

static struct handler handler_at(const struct search *search, enum handler_role role,
				 uint32_t index)
{
	return (struct handler){.role = role, .index = index, .frame = search->frames[index]};
}

/* Frames of the application that were passed on the way outward. */
struct passed {
	uint32_t outermost, innermost; /* UINT32_MAX: none */
	bool missing_inside; /* a frame inside of the innermost could not be read: it may be the
				application's too */
};

static struct handler innermost_handler(const struct search *search, const struct passed *passed)
{
	if (passed->innermost == UINT32_MAX || passed->missing_inside)
		return (struct handler){0};
	return handler_at(search, HANDLER_FRAME, passed->innermost);
}

/* The handler under a rule whose frame is `at`. */
static struct handler apply(const struct search *search, const struct handler_rule *rule,
			    uint32_t at, const struct passed *passed)
{
	enum handler_role role = rule->role;
	uint32_t index = passed->outermost;

	if (rule->flags & RULE_INNERMOST || (rule->flags & RULE_DIRECT && index + 1 != at))
		return innermost_handler(search, passed);
	while (index && application_at(search, index - 1)) {
		bool chained = rule->flags & RULE_CHAIN &&
			       strcmp(last_part(function_at(search, index - 1)->function.name),
				      "__call__") == 0;

		if (!chained &&
		    !(rule->flags & RULE_CHAIN_BY_NAME &&
		      strcasestr(function_at(search, index)->function.name, "middleware")))
			break;
		index--;
	}
	if (rule->flags & RULE_CHAIN_BY_NAME &&
	    strcasestr(function_at(search, index)->function.name, "middleware"))
		role = HANDLER_MIDDLEWARE;
	return handler_at(search, role, index);
}

/*
 * From the inner end outward to the first rule with a frame of the application inside. A frame that
 * could not be read may be the very one that the rule is about, so nothing is said when there is
 * one between the rule's frame and what would be the handler.
 */
static struct handler search_run(const struct search *search)
{
	struct passed passed = {UINT32_MAX, UINT32_MAX, false};
	bool missing = false, fallback = true;

	for (uint32_t i = 0; i < search->count; i++) {
		const struct definition *function = function_at(search, i);
		struct kind kind = function ? kind_get(search->finder, function) : (struct kind){0};
		const struct handler_rule *rule = kind.rule ? &handler_rules[kind.rule - 1] : NULL;

		missing |= !function;
		if (kind.application) {
			if (passed.innermost == UINT32_MAX) {
				passed.innermost = i;
				passed.missing_inside = missing;
			}
			passed.outermost = i;
			missing = false;
		} else if (rule && outer_fits(search->finder, rule, function_at(search, i + 1))) {
			if (missing)
				return (struct handler){0};
			if (passed.outermost != UINT32_MAX)
				return apply(search, rule, i, &passed);
			if (rule->flags & RULE_ENDS)
				return (struct handler){0};
			fallback &= !(rule->flags & RULE_LOOP);
		}
	}
	return fallback ? innermost_handler(search, &passed) : (struct handler){0};
}

/* What the rules say; kept. */
static struct handler found_by_rules(struct handler_finder *finder,
				     const struct dictionary *dictionary, uint32_t stack)
{
	const struct definition *definition = dictionary_find(dictionary, DEFINE_STACK, stack);
	uint32_t found_room = finder->handler_room;
	struct search search;
	struct handler handler;
	bool kept;

	if (!definition)
		return (struct handler){0};
	kept = reserve((void **)&finder->found, &found_room, stack, sizeof(*finder->found)) &&
	       reserve((void **)&finder->handlers, &finder->handler_room, stack,
		       sizeof(*finder->handlers));
	if (kept && finder->found[stack])
		return finder->handlers[stack];
	search = (struct search){finder, dictionary, definition->stack.frames,
				 definition->stack.count};
	handler = search_run(&search);
	if (kept) {
		finder->handlers[stack] = handler;
		finder->found[stack] = true;
	}
	return handler;
}

/* A plain function may call a generator, whose frame is a root like a coroutine's; so what tells is
 * a sample without any. */
void handler_note(struct handler_finder *finder, const struct dictionary *dictionary,
		  uint32_t stack, uint64_t root)
{
	struct handler handler = root ? (struct handler){0}
				      : found_by_rules(finder, dictionary, stack);

	if (handler.role == HANDLER_TASK && reserve((void **)&finder->plain, &finder->plain_room,
						    handler.frame.function, sizeof(*finder->plain)))
		finder->plain[handler.frame.function] = true;
}

struct handler handler_find(struct handler_finder *finder, const struct dictionary *dictionary,
			    uint32_t stack)
{
	struct handler handler = found_by_rules(finder, dictionary, stack);

	if (handler.role == HANDLER_TASK && handler.frame.function < finder->plain_room &&
	    finder->plain[handler.frame.function])
		handler.role = HANDLER_CALLBACK;
	return handler;
}
