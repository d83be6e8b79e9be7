# SPDX-License-Identifier: MIT
"""Pages embed scripts without their comments (tools/gen-script). The result is the same program,
token by token, according to the parser inside node."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "user/view").rglob("*.js"))
# prints the tokens of each file as a line of JSON
TOKENS = r"""
const acorn = require("internal/deps/acorn/acorn/dist/acorn");
for (const file of process.argv.slice(1)) {
    const text = require("fs").readFileSync(file, "utf8");
    const value = ({ value }) => // JSON has no BigInt, and 0n is false
        typeof value === "bigint"
            ? String(value)
            : value && String(value.pattern ?? "") + String(value.flags ?? value);
    const tokens = [...acorn.tokenizer(text, { ecmaVersion: "latest" })];
    console.log(JSON.stringify(tokens.map((token) => [token.type.label, value(token)])));
}
"""
# all kinds of lines that look like comments but are not
HOSTILE = r"""
// dropped
/* dropped */
/**
 * dropped
 */
const a = `
// text
/* text
${[`
// text ${{ b: "`" }.b}
`, "}", '\'`', /[/`]\/`/.source
// dropped
]}
// text
*/
`; /* kept
// kept
*/ const c = 1 / 2; // kept `
/* kept */ const d = a / c; /* kept
*/
/* kept
*/ const e = "// kept";
"""


def without_comments(path):
    return subprocess.run(
        [ROOT / "tools/gen-script", path], capture_output=True, text=True, check=False
    )


def tokens(*paths):
    done = subprocess.run(
        ["node", "--expose-internals", "-e", TOKENS, *paths],
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_scripts_without_comments_are_the_same_programs(tmp_path):
    for number, path in enumerate(SCRIPTS):
        (tmp_path / f"{number}.js").write_text(without_comments(path).stdout)
    embedded = [tmp_path / f"{number}.js" for number in range(len(SCRIPTS))]
    expected = tokens(*SCRIPTS)
    assert len(expected) == len(SCRIPTS) > 20 and all(expected)
    assert tokens(*embedded) == expected
    for path in embedded:
        assert not [line for line in path.read_text().splitlines() if line.strip()[:2] == "//"]


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_only_comments_are_dropped(tmp_path):
    path, bare = tmp_path / "hostile.js", tmp_path / "bare.js"
    path.write_text(HOSTILE)
    bare.write_text(without_comments(path).stdout)
    assert "dropped" not in bare.read_text()
    before, after = tokens(path, bare)
    assert before == after
    assert bare.read_text().count("// text") == 3 and bare.read_text().count("kept") == 7


@pytest.mark.parametrize(
    "text", ["const a = `\n// text\n", "/* a\n", 'const a = "b\n";\n', "a = /b"]
)
def test_what_is_not_understood_is_refused(tmp_path, text):
    path = tmp_path / "broken.js"
    path.write_text(text)
    done = without_comments(path)
    assert done.returncode == 1 and str(path) in done.stderr
