# SPDX-License-Identifier: MIT
"""`gilscope flame`: the picture is compared with NAME.flame.svg; page and picture are compared with
a flame graph built here from the folded stacks."""

import base64
import json
import re
import subprocess
import xml.etree.ElementTree as ElementTree
import zlib

import pytest

from test_exports import ALL, STATES, WITH_STACKS, export, parse_folded, reported_states
from test_golden import EXIT_OK, EXIT_PARTIAL, GILSCOPE, CASES, compare

SVG = "{http://www.w3.org/2000/svg}"
MARGIN, WIDTH, ROW, LEAST = 10, 1180, 18, 0.4
APPLICATION, LIBRARY, STDLIB = range(3)  # words/owners.def


def flame(script, output, *options):
    result = subprocess.run(
        [GILSCOPE, "flame", *options, script, "-o", output],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert result.returncode in (EXIT_OK, EXIT_PARTIAL), result.stderr.decode()
    return result.stdout.decode()


@pytest.fixture
def picture(tmp_path):
    """Draws a picture; returns its text."""

    def draw(script, *options):
        flame(script, tmp_path / "flame.svg", *options)
        return (tmp_path / "flame.svg").read_text()

    return draw


def folded(script, *options):
    """A flame graph built from the folded stacks: {path: [total time, self time]}, in order of
    appearance."""
    nodes = {}
    for frames, weight in parse_folded(export(script, "folded", *options)[0].decode()):
        for depth in range(1, len(frames) + 1):
            nodes.setdefault(tuple(frames[:depth]), [0, 0])[0] += weight
        nodes[tuple(frames)][1] += weight
    return nodes


def frame_text(name, file, line):
    """A frame in the folded format."""
    place = f" ({file}:{line})" if line else f" ({file})"
    return (name + (place if file else "")).replace(";", "\\x3b")


# ── the page ──


def blobs(page):
    return {
        name: zlib.decompress(base64.b64decode(text))
        for name, text in re.findall(
            r'<script type="application/octet-stream" id="([\w-]+)">([A-Za-z0-9+/=]*)</script>',
            page,
        )
    }


def varints(blob):
    numbers, value, shift = [], 0, 0
    for byte in blob:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(value)
            value = shift = 0
    assert not shift
    return numbers


def page_tree(blob, frames):
    """A graph of the page, in the form of folded()."""
    count, *columns = varints(blob)
    assert len(columns) == 3 * count
    paths, nodes = [()], {}
    for back, frame, own in zip(columns[:count], columns[count : 2 * count], columns[2 * count :]):
        path = paths[-1 - back] + (frame_text(*frames[frame][:3]),)
        assert path not in nodes
        paths.append(path)
        nodes[path] = [0, own]
    for path, (_, own) in nodes.items():
        for depth in range(1, len(path) + 1):
            nodes[path[:depth]][0] += own
    return nodes


@pytest.fixture(params=WITH_STACKS, ids=lambda path: path.stem)
def script(request):
    return request.param


def test_the_page_has_the_folded_stacks(script):
    data = blobs(flame(script, "-"))
    head = json.loads(data["head"])
    assert head["format"] == "gilscope.flame/1"
    assert [(graph["state"], graph["by"]) for graph in head["graphs"]] == [
        pair
        for state in STATES
        for pair in (
            [(state, "waiter"), (state, "holder")] if state == "gil_wait" else [(state, None)]
        )
    ]
    compared = 0
    for graph in head["graphs"]:
        expected = folded(script, f"--state={graph['state']}", f"--by={graph['by'] or 'waiter'}")
        assert bool(graph["blob"]) == bool(expected)
        if expected:
            found = page_tree(data.pop(graph["blob"]), head["frames"])
            assert found == expected and list(found) == list(expected)
            compared += 1
    assert compared >= 4 and list(data) == ["head"]


def test_the_pages_sums_are_the_reports(script):
    head = json.loads(blobs(flame(script, "-"))["head"])
    sums = {graph["name"]: graph["ns"] for graph in head["graphs"] if graph["ns"]}
    assert sums.pop("made_wait", 0) == sums.get("gil_wait", 0)
    assert sums == reported_states(script)


def test_the_page_knows_what_is_the_applications(script):
    frames = json.loads(blobs(flame(script, "-"))["head"])["frames"]
    for name, file, _, owner, *_ in frames:
        if name == "<module>" and re.search(r"/bin/[^./]+$", file):
            assert owner == LIBRARY, "it only starts a program"
        elif not file or (file.startswith("/srv/") and "/site-packages/" not in file):
            assert owner == APPLICATION, file
        else:
            assert owner == (LIBRARY if re.search("/(site|dist)-packages/", file) else STDLIB), file


def test_the_page_needs_nothing_else(script):
    page = flame(script, "-")
    assert "Content-Security-Policy" in page and "default-src 'none'" in page
    assert not re.search(r"<!-- (include|data)|\b(src|href)=\"(?!data:)|@import|url\(", page)
    assert page.count("<script>") == page.count("</script>") - len(blobs(page)) == 1


def test_the_page_holds_only_what_was_asked_for():
    head = json.loads(
        blobs(flame(CASES / "blame.script", "-", "--state=gil_wait,python", "--by=holder"))["head"]
    )
    assert [graph["name"] for graph in head["graphs"]] == ["python", "made_wait"]


# ── the picture ──


def boxes(svg):
    """[(lines of the title, ns, x, y, width, label), …] of all boxes."""
    found = []
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        *frame, times = group.find(f"{SVG}title").text.split("\n")
        box, label = group.find(f"{SVG}rect"), group.find(f"{SVG}text")
        ns = int(re.search(r"\(([\d\u00a0]+)\u00a0ns\)", times)[1].replace("\u00a0", ""))
        found.append(
            (
                frame,
                ns,
                float(box.get("x")),
                float(box.get("y")),
                float(box.get("width")),
                None if label is None else label.text,
            )
        )
    return found


def box_text(frame):
    """The title of a box, as a frame of the folded format."""
    return (frame[0] + (f" ({frame[1]})" if len(frame) > 1 else "")).replace(";", "\\x3b")


@pytest.mark.parametrize("name", ["blame", "hostile_stacks"])
def test_picture_is_as_expected(request, picture, name):
    compare(request, CASES / f"{name}.flame.svg", picture(CASES / f"{name}.script"))


@pytest.mark.parametrize(
    "options",
    [
        [ALL],
        ["--state=blocked"],
        ["--state=gil_wait", "--by=holder"],
        ["--state=python,unknown,runnable"],
    ],
    ids=" ".join,
)
def test_the_picture_has_the_folded_stacks(script, picture, options):
    nodes, paths, drawn = folded(script, *options), {}, set()
    whole = sum(own for _, own in nodes.values())
    for frame, ns, x, y, width, _ in boxes(picture(script, *options)):
        # the parent is the latest box in the row above
        path = paths.get(y - ROW, ()) + (box_text(frame),)
        paths[y] = path
        drawn.add(path)
        assert nodes[path][0] == ns, path
        assert width == pytest.approx(
            WIDTH * ns / whole - (0.8 if WIDTH * ns / whole > 3 else 0), abs=0.02
        )
        assert x >= MARGIN - 0.01 and x + width <= MARGIN + WIDTH + 0.01
    assert (
        drawn == {path for path, (ns, _) in nodes.items() if WIDTH * ns / whole >= LEAST}
        if whole
        else not drawn
    )


def test_boxes_lie_side_by_side_in_their_callers_and_the_widest_is_first(script, picture):
    above, left = {}, {}
    for _, ns, x, y, width, _ in boxes(picture(script, ALL)):
        end = x + width + 0.81
        outer = above.get(y - ROW)
        assert outer is None or (outer[0] - 0.02 <= x and x + width <= outer[1] + 0.02)
        before = left.get(y)
        if before and (outer is None or before[2] is outer):
            assert before[1] - 0.82 <= x and before[3] >= ns
        above[y] = (x, end)
        left[y] = (x, end, outer, ns)


def test_labels_fit_their_boxes(script, picture):
    labels = [(label, width) for *_, width, label in boxes(picture(script, ALL)) if label]
    assert labels
    for label, width in labels:
        assert len(label) * 6.6 <= width and not re.fullmatch("…*", label)


def test_the_picture_is_for_documents(script, picture):
    svg = picture(script)
    assert (
        svg.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
        and "prefers-color-scheme: dark" in svg
    )
    assert not re.search(r"<script|<foreignObject|\son\w+=|href|@import|url\(", svg)
    assert [element.tag for element in ElementTree.fromstring(svg)][:2] == [
        f"{SVG}title",
        f"{SVG}style",
    ]


def test_what_is_empty_says_why(picture):
    svg = picture(CASES / "blame.script", "--state=held_blocked")
    assert "No thread was in such a state in this recording." in svg and not boxes(svg)
    assert "This recording has no stacks" in picture(CASES / "quiet.script")


# ── the command ──


def test_a_page_is_written_beside_the_recording_by_default(tmp_path):
    result = subprocess.run(
        [GILSCOPE, "flame", CASES / "blame.script"],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (
        result.returncode == EXIT_OK
        and not result.stdout
        and b"gilscope-flame.html" in result.stderr
    )
    assert [path.name for path in tmp_path.iterdir()] == ["gilscope-flame.html"]


@pytest.mark.parametrize(
    "options, status, words",
    [
        (["-o", "flame.png"], 2, "let its name end in .html for a page, or in .svg for a picture"),
        (["--state", "gil_wiat"], 2, "'gil_wiat' is not a state"),
        (["--by", "both"], 2, "waiter or holder"),
        (["-o", "no/such/folder/flame.svg"], 1, "cannot create no/such/folder/flame.svg"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, options, status, words):
    result = subprocess.run(
        [GILSCOPE, "flame", CASES / "blame.script", *options],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (
        result.returncode == status
        and words in result.stderr.decode()
        and not list(tmp_path.iterdir())
    )
