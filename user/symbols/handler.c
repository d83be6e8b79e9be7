/* SPDX-License-Identifier: MIT */
#include "symbols/handler.h"

#include <stdlib.h>
#include <string.h>

#include "symbols/handler_rules.h"
#include "symbols/handler_search.h"
#include "symbols/owner.h"

/* Properties of a function; all zero means that they are not determined yet. */
struct kind {
	uint32_t function; /* of this one: another may have had its place before */
	uint8_t owner;	   /* enum code_owner; never OWNER_APPLICATION for a rule's frame */
	uint16_t rule;	   /* index + 1 of the rule whose file and function fit; 0: none */
};

struct handler_finder {
	struct owners *owners;
	struct kind *kinds; /* by dictionary_place() of the function */
	struct found {
		uint32_t stack; /* as above; 0: not known yet */
		bool unsure;	/* handler_unsure() */
		struct handler handler;
	} *found;	 /* by the stack's place */
	uint32_t *plain; /* by the function's place, its id: called by a loop, and not a coroutine
			  */
	uint32_t kind_room, found_room, plain_room;
};

const char *handler_role_name(enum handler_role role)
{
	static const char *const names[HANDLER_ROLES] = {
#define ROLE(NAME, name, doc) [HANDLER_##NAME] = #name,
#include "symbols/roles.def"
	};

	return role < HANDLER_ROLES ? names[role] : NULL;
}

struct handler_finder *handler_finder_new(const char *const *app_roots, unsigned int app_root_count)
{
	struct handler_finder *finder = calloc(1, sizeof(*finder));

	if (!finder)
		return NULL;
	finder->owners = owners_new(app_roots, app_root_count);
	if (finder->owners)
		return finder;
	free(finder);
	return NULL;
}

void handler_finder_free(struct handler_finder *finder)
{
	if (!finder)
		return;
	owners_free(finder->owners);
	free(finder->kinds);
	free(finder->found);
	free(finder->plain);
	free(finder);
}

/* ── which rule ──────────────────────────────────────────────────────────── */

/* Whether `text` ends with `end`, preceded by `separator` or nothing. */
static bool ends_with(const char *text, const char *end, char separator)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && memcmp(text + length - end_length, end, end_length) == 0 &&
	       (length == end_length || text[length - end_length - 1] == separator);
}

/* Whether `path` is a library's, and below a directory whose path ends with `directory`, which ends
 * with '/'. (The application's directories may have any names.) */
static bool is_below(const struct handler_finder *finder, const char *path, const char *directory)
{
	if (owner_is_application(finder->owners, path))
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
	/* before 3.11 names are not qualified; since then, those of module-level functions look the
	 * same */
	return ends_with(name, rule->function, '.') ||
	       strcmp(name, function_last_part(rule->function)) == 0;
}

static bool outer_fits(const struct handler_finder *finder, const struct handler_rule *rule,
		       const struct definition *outer)
{
	if (!rule->outer)
		return true;
	if (!outer)
		return false;
	return is_path(rule->outer)
		       ? is_below(finder, outer->function.file, rule->outer)
		       : strcmp(function_last_part(outer->function.name), rule->outer) == 0;
}

/* The first rule from `number` (index + 1) on that fits the function; 0: none. */
static uint16_t next_rule(const struct handler_finder *finder, unsigned int number,
			  const struct definition *function)
{
	for (; number <= handler_rule_count; number++)
		if (rule_fits(finder, &handler_rules[number - 1], function))
			return (uint16_t)number;
	return 0;
}

static struct kind kind_of(const struct handler_finder *finder, const struct definition *function)
{
	struct kind kind = {.function = function->id, .rule = next_rule(finder, 1, function)};

	kind.owner = (uint8_t)code_owner_of(finder->owners, function->function.name,
					    function->function.file);
	if (kind.rule &&
	    kind.owner == OWNER_APPLICATION) /* a framework in a directory of its own */
		kind.owner = OWNER_LIBRARY;
	return kind;
}

/* Makes room for items up to `index`, zeroed. */
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

/* Cached, unless memory is short. */
static inline struct kind kind_get(struct handler_finder *finder, const struct definition *function)
{
	uint32_t place = dictionary_place(DEFINE_FUNCTION, function->id);
	struct kind kind;

	if (place < finder->kind_room && finder->kinds[place].function == function->id)
		return finder->kinds[place];
	kind = kind_of(finder, function);
	if (reserve((void **)&finder->kinds, &finder->kind_room, place, sizeof(*finder->kinds)))
		finder->kinds[place] = kind;
	return kind;
}

/* ── the search ──────────────────────────────────────────────────────────── */

/* All zero if the stack is not defined. */
struct stack_search search_of(struct handler_finder *finder, const struct dictionary *dictionary,
			      uint32_t stack)
{
	const struct definition *definition = dictionary_find(dictionary, DEFINE_STACK, stack);
	struct stack_search search = {.finder = finder, .dictionary = dictionary};

	if (!definition)
		return (struct stack_search){0};
	search.frames = definition->stack.frames;
	search.count = definition->stack.count;
	search.cut = definition->stack.cut;
	return search;
}

const struct definition *search_function(const struct stack_search *search, uint32_t index)
{
	return index < search->count ? dictionary_find(search->dictionary, DEFINE_FUNCTION,
						       search->frames[index].function)
				     : NULL;
}

enum code_owner search_owner(const struct stack_search *search, const struct definition *function)
{
	return kind_get(search->finder, function).owner;
}

/* Launchers have no owner: a program in a directory bin only calls another file. */
bool search_is_application(const struct stack_search *search, uint32_t index,
			   const struct definition *function)
{
	const struct definition *inner = index ? search_function(search, index - 1) : NULL;

	if (kind_get(search->finder, function).owner != OWNER_APPLICATION)
		return false;
	return !inner || strcmp(inner->function.file, function->function.file) == 0 ||
	       !owner_is_launcher(function->function.name, function->function.file);
}

static bool application_at(const struct stack_search *search, uint32_t index)
{
	const struct definition *function = search_function(search, index);

	return function && search_is_application(search, index, function);
}

/* Decorators call what they return like that. */
static bool is_wrapper(const char *name)
{
	const char *last = function_last_part(name);

	static const char *const names[] = {"inner", "_inner", "decorated_function",
					    "decorated_view"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(last, names[i]) == 0)
			return true;
	return strcasestr(last, "wrap");
}

static struct handler handler_at(const struct stack_search *search, enum handler_role role,
				 uint32_t index)
{
	return (struct handler){.role = role, .index = index, .frame = search->frames[index]};
}

/* Application frames passed on the way outward. */
struct passed {
	uint32_t outermost, innermost; /* UINT32_MAX: none */
	bool missing_inside; /* a frame inside the innermost one could not be read, and may be the
				application's, too */
};

static void passed_add(struct passed *passed, uint32_t index, bool missing)
{
	if (passed->innermost == UINT32_MAX) {
		passed->innermost = index;
		passed->missing_inside = missing;
	}
	passed->outermost = index;
}

static struct handler innermost_handler(const struct stack_search *search,
					const struct passed *passed)
{
	if (passed->innermost == UINT32_MAX || passed->missing_inside)
		return (struct handler){0};
	return handler_at(search, HANDLER_FRAME, passed->innermost);
}

/* An ASGI middleware that is a class replaces `send` or `receive` by a function in its __call__. */
static bool is_middlewares_own(const char *name)
{
	return strstr(name, "__call__.<locals>.") &&
	       (strcasestr(function_last_part(name), "send") ||
		strcasestr(function_last_part(name), "receive"));
}

/* Whether the application's next frame inwards is rather the handler: this one only hands on. */
static bool hands_on(const struct stack_search *search, const struct handler_rule *rule,
		     uint32_t index)
{
	const char *name = search_function(search, index)->function.name;

	if (rule->flags & RULE_CHAIN &&
	    strcmp(function_last_part(search_function(search, index - 1)->function.name),
		   "__call__") == 0)
		return true;
	return is_wrapper(name) ||
	       (rule->flags & RULE_CHAIN_BY_NAME && strcasestr(name, "middleware"));
}

/* The handler that a rule finds, whose frame is at index `at`. */
static struct handler apply(const struct stack_search *search, const struct handler_rule *rule,
			    uint32_t at, const struct passed *passed)
{
	enum handler_role role = rule->role;
	uint32_t index = passed->outermost;

	if (rule->flags & RULE_INNERMOST || (rule->flags & RULE_DIRECT && index + 1 != at))
		return innermost_handler(search, passed);
	while (index && application_at(search, index - 1) && hands_on(search, rule, index))
		index--;
	if (is_middlewares_own(search_function(search, index)->function.name) ||
	    (rule->flags & RULE_CHAIN_BY_NAME &&
	     strcasestr(search_function(search, index)->function.name, "middleware")))
		role = HANDLER_MIDDLEWARE;
	return handler_at(search, role, index);
}

/* ── roles before paths ──────────────────────────────────────────────────── */

/* Whether two functions are in one installed package. */
bool search_same_package(const struct definition *a, const struct definition *b)
{
	size_t length = owner_package(a->function.file);

	return length && length == owner_package(b->function.file) &&
	       memcmp(a->function.file, b->function.file, length) == 0;
}

/* Libraries that stand between a framework and what it calls. */
bool search_is_framework(const char *package, size_t length)
{
	for (unsigned int i = 0; i < handler_framework_count; i++)
		if (strlen(handler_frameworks[i]) == length &&
		    memcmp(package, handler_frameworks[i], length) == 0)
			return true;
	for (unsigned int i = 0; i < handler_rule_count; i++)
		if (!(handler_rules[i].flags & RULE_PROGRAM) &&
		    strcspn(handler_rules[i].file, "/") == length &&
		    memcmp(package, handler_rules[i].file, length) == 0)
			return true;
	return false;
}

/*
 * The function that the frame `at` of a RULE_CALLS called: the application's, although its file
 * lies among installed packages. UINT32_MAX: a framework's, or unknown.
 */
static uint32_t called_by(const struct stack_search *search, uint32_t at)
{
	const struct definition *wrapper = NULL;

	while (at--) {
		const struct definition *function = search_function(search, at);
		enum code_owner owner = function ? kind_get(search->finder, function).owner
						 : OWNER_NOBODY;
		const char *package;
		size_t length;

		if (!function)
			return UINT32_MAX;
		if (owner == OWNER_LIBRARY && is_wrapper(function->function.name))
			wrapper = function;
		if (owner != OWNER_LIBRARY || (wrapper && search_same_package(wrapper, function)))
			continue;
		package = owner_package_name(function->function.file, &length);
		if (!length || search_is_framework(package, length) ||
		    strcmp(function_last_part(function->function.name), "__call__") == 0)
			return UINT32_MAX;
		return at;
	}
	return UINT32_MAX;
}

/* The rule of the frame at `index`, if its caller is the one that it wants. NULL: none. */
static const struct handler_rule *rule_at(const struct stack_search *search, uint32_t index,
					  const struct definition *function)
{
	uint16_t number = kind_get(search->finder, function).rule;

	while (number && !outer_fits(search->finder, &handler_rules[number - 1],
				     search_function(search, index + 1)))
		number = next_rule(search->finder, number + 1u, function);
	return number ? &handler_rules[number - 1] : NULL;
}

/*
 * Goes outward from the innermost frame to the first rule with an application frame inside. A frame
 * that could not be read may be the very one that the rule means, so there is no answer if such a
 * frame is between the rule's frame and the candidate.
 */
static struct handler search_run(const struct stack_search *search)
{
	struct passed passed = {UINT32_MAX, UINT32_MAX, false};
	bool missing = false, fallback = true;

	for (uint32_t i = 0; i < search->count; i++) {
		const struct definition *function = search_function(search, i);
		const struct handler_rule *rule = function ? rule_at(search, i, function) : NULL;
		uint32_t called = UINT32_MAX;

		missing |= !function;
		if (function && search_is_application(search, i, function)) {
			passed_add(&passed, i, missing);
			missing = false;
			continue;
		}
		if (!rule || (rule->flags & RULE_INSTALLED && passed.outermost != UINT32_MAX))
			continue;
		if (missing || (rule->role == HANDLER_COMMAND && !fallback))
			return (struct handler){0};
		if (passed.outermost != UINT32_MAX)
			return apply(search, rule, i, &passed);
		if (rule->flags & RULE_CALLS)
			called = called_by(search, i);
		if (called != UINT32_MAX)
			return handler_at(search, rule->role, called);
		if (rule->flags & RULE_ENDS)
			return (struct handler){0};
		fallback &= !(rule->flags & RULE_LOOP);
	}
	return fallback ? innermost_handler(search, &passed) : (struct handler){0};
}

/*
 * Whether `handler` may be another one's, or there may be one, because frames are missing: those
 * outside a stack that was cut may be the rule's that finds it, or it itself.
 */
static bool is_unsure(const struct stack_search *search, const struct handler *handler)
{
	if (handler->role != HANDLER_NONE && handler->role != HANDLER_FRAME)
		return false;
	if (search->cut)
		return true;
	for (uint32_t i = 0; handler->role == HANDLER_NONE && i < search->count; i++)
		if (!search_function(search, i))
			return true;
	return false;
}

static struct found apply_rules(struct handler_finder *finder, const struct dictionary *dictionary,
				uint32_t stack)
{
	struct stack_search search = search_of(finder, dictionary, stack);
	struct found found = {.stack = stack};
	uint32_t place = dictionary_place(DEFINE_STACK, stack);

	if (!search.count)
		return found;
	found.handler = search_run(&search);
	found.unsure = is_unsure(&search, &found.handler);
	if (reserve((void **)&finder->found, &finder->found_room, place, sizeof(*finder->found)))
		finder->found[place] = found;
	return found;
}

/* Cached, unless memory is short. */
static inline struct found found_by_rules(struct handler_finder *finder,
					  const struct dictionary *dictionary, uint32_t stack)
{
	uint32_t place = dictionary_place(DEFINE_STACK, stack);

	if (stack && place < finder->found_room && finder->found[place].stack == stack)
		return finder->found[place];
	return apply_rules(finder, dictionary, stack);
}

/* A plain function may call a generator, whose frame is a root like a coroutine's. So only a sample
 * without a root is conclusive. */
void handler_note(struct handler_finder *finder, const struct dictionary *dictionary,
		  uint32_t stack, uint64_t root)
{
	struct handler handler = root ? (struct handler){0}
				      : found_by_rules(finder, dictionary, stack).handler;

	uint32_t place = dictionary_place(DEFINE_FUNCTION, handler.frame.function);

	if (handler.role == HANDLER_TASK &&
	    reserve((void **)&finder->plain, &finder->plain_room, place, sizeof(*finder->plain)))
		finder->plain[place] = handler.frame.function;
}

struct handler handler_find(struct handler_finder *finder, const struct dictionary *dictionary,
			    uint32_t stack)
{
	struct handler handler = found_by_rules(finder, dictionary, stack).handler;

	uint32_t place = dictionary_place(DEFINE_FUNCTION, handler.frame.function);

	if (handler.role == HANDLER_TASK && place < finder->plain_room &&
	    finder->plain[place] == handler.frame.function)
		handler.role = HANDLER_CALLBACK;
	return handler;
}

bool handler_unsure(struct handler_finder *finder, const struct dictionary *dictionary,
		    uint32_t stack)
{
	return found_by_rules(finder, dictionary, stack).unsure;
}

bool handler_is_application(const struct handler_finder *finder, const char *file)
{
	return owner_is_application(finder->owners, file);
}

enum code_owner handler_owner(const struct handler_finder *finder, const char *name,
			      const char *file)
{
	if (owner_is_launcher(name, file))
		return OWNER_LIBRARY;
	if (!finder || handler_is_application(finder, file))
		return OWNER_APPLICATION;
	return owner_package(file) ? OWNER_LIBRARY : OWNER_STDLIB;
}

/* ── command lines ───────────────────────────────────────────────────────── */

/* Answers that were given without a package are given anew. */
static int take_process(void *ctx, const struct process_info *info)
{
	struct handler_finder *finder = ctx;
	int found = owners_add_command(finder->owners, info->cmdline, search_is_framework);

	if (found < 0)
		return found;
	if (found && finder->kind_room)
		memset(finder->kinds, 0, finder->kind_room * sizeof(*finder->kinds));
	if (found && finder->found_room)
		memset(finder->found, 0, finder->found_room * sizeof(*finder->found));
	return 0;
}

struct stream_sink handler_finder_sink(struct handler_finder *finder)
{
	return (struct stream_sink){.ctx = finder, .process = take_process};
}
