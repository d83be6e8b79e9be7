// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { launch, quit } from "./harness.mjs";

after(quit);

test("Chromium starts", async () => {
	assert.match((await launch()).version(), /^\d+\./);
});
