// SPDX-License-Identifier: MIT
// What tools/lint/javascript asks of the pages' scripts and of the browser tests.
import { createRequire } from "node:module";
import path from "node:path";

const build = path.resolve(import.meta.dirname ?? ".", process.env.B ?? "build");
const js = createRequire(path.join(build, "browser/"))("@eslint/js");

export default [
	js.configs.recommended,
	{
		rules: {
			"no-undef": "off", // tsc knows all names of all scripts of a page
			"no-control-regex": "off", // texts of targets have control characters
			"no-var": "error",
			"prefer-const": ["error", { destructuring: "all" }],
			eqeqeq: "error",
			"no-shadow": ["error", { builtinGlobals: false }],
			"no-implied-eval": "error",
			"no-new-func": "error",
			"no-eval": "error",
			"no-throw-literal": "error",
			"prefer-promise-reject-errors": "error",
			"no-restricted-properties": [
				"error",
				...["innerHTML", "outerHTML", "insertAdjacentHTML"].map((property) => ({
					property,
					message: "Text of the target must never be markup.",
				})),
			],
			"max-len": ["error", { code: 100, tabWidth: 4, ignoreUrls: true }],
		},
	},
	{
		// scripts of one page share their global scope: what one defines is for the others
		files: ["user/view/**/*.js", "build/gen/*.js"],
		languageOptions: { sourceType: "script" },
		rules: { "no-unused-vars": ["error", { vars: "local" }], strict: ["error", "global"] },
	},
];
