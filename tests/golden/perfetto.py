# SPDX-License-Identifier: MIT
"""Perfetto traces as protoc decodes them with our .proto, and in a readable form."""

import codecs
import json
import re
import subprocess
from collections import defaultdict

from test_golden import ROOT

REPEATED = {
    "packet",
    "clocks",
    "event_names",
    "debug_annotation_names",
    "source_locations",
    "debug_annotation_string_values",
    "cmdline",
    "debug_annotations",
    "flow_ids",
    "terminating_flow_ids",
    "dict_entries",
    "array_values",
}
CLEARED, NEEDED = 1, 2  # sequence_flags
MONOTONIC, REALTIME = 3, 1


def decoded(trace):
    """The packets of a trace, decoded by protoc with our .proto, as dictionaries."""
    result = subprocess.run(
        [
            "protoc",
            "--decode=perfetto.Trace",
            f"--proto_path={ROOT}/user/view/export",
            "perfetto.proto",
        ],
        input=trace,
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert not result.stderr
    messages = [{}]
    for line in result.stdout.decode().splitlines():
        key, _, value = line.strip().partition(" ")
        if key == "}":
            messages.pop()
            continue
        # protoc prints a field that our .proto does not define as a number
        assert re.fullmatch(r"[a-z_]+:?", key), line
        key = key.rstrip(":")
        if value == "{":
            value = {}
            messages.append(value)
        elif value.startswith('"'):
            value = codecs.escape_decode(value[1:-1].encode())[0].decode()
        elif re.fullmatch(r"-?\d+", value):
            value = int(value)
        else:
            value = {"true": True, "false": False}.get(value, value)
        holder = messages[-2] if isinstance(value, dict) else messages[-1]
        if key in REPEATED:
            holder.setdefault(key, []).append(value)
        else:
            assert key not in holder, line
            holder[key] = value
    return messages[0]["packet"]


def plain(annotation, interned):
    """An annotation's value, unwrapped."""
    if "dict_entries" in annotation:
        return {entry["name"]: plain(entry, interned) for entry in annotation["dict_entries"]}
    if "array_values" in annotation:
        return [plain(value, interned) for value in annotation["array_values"]]
    if "string_value_iid" in annotation:
        return interned["debug_annotation_string_values"][annotation["string_value_iid"]]
    values = [
        annotation[key] for key in ("bool_value", "int_value", "string_value") if key in annotation
    ]
    assert len(values) == 1, annotation
    return values[0]


class Trace:
    """What a reader of the packets keeps. Asserts that everything is defined before it is referred
    to."""

    def __init__(self, packets):
        self.tracks, self.events, self.clocks = {}, [], None
        self.interned = defaultdict(dict)
        assert packets[0]["sequence_flags"] == CLEARED and packets[0]["first_packet_on_sequence"]
        assert packets[0]["trace_packet_defaults"] == {"timestamp_clock_id": MONOTONIC}
        for number, packet in enumerate(packets):
            assert packet["trusted_packet_sequence_id"] == 1 and (
                packet.get("sequence_flags") != CLEARED or not number
            )
            self.intern(packet.get("interned_data", {}))
            if "clock_snapshot" in packet:
                assert not self.clocks and not self.events
                self.clocks = packet["clock_snapshot"]
            if "track_descriptor" in packet:
                self.describe(packet["track_descriptor"])
            if "track_event" in packet:
                self.add(packet)
        self.events.sort(key=lambda event: event["ts"])  # a stable sort, like Perfetto's

    def intern(self, data):
        for kind, entries in data.items():
            for entry in entries:
                assert entry["iid"] not in self.interned[kind]
                self.interned[kind][entry["iid"]] = entry.get("name", entry)

    def describe(self, track):
        uuid = track.pop("uuid")
        before = self.tracks.get(uuid)
        assert "parent_uuid" not in track or track["parent_uuid"] in self.tracks
        if before:
            # only the name of a track may change
            assert before.keys() >= track.keys() - {"description"} and before.get(
                "parent_uuid"
            ) == track.get("parent_uuid")
            assert before.get("thread", {}).get("tid") == track.get("thread", {}).get("tid")
        self.tracks[uuid] = track

    def add(self, packet):
        event = packet["track_event"]
        track = self.tracks[event["track_uuid"]]
        refers = event.keys() & {"name_iid", "source_location_iid"} or any(
            "name_iid" in each for each in event.get("debug_annotations", [])
        )
        assert not refers or packet["sequence_flags"] == NEEDED
        assert (event["type"] == "TYPE_COUNTER") == ("counter" in track)
        found = {
            "ts": packet["timestamp"],
            "track": event["track_uuid"],
            "type": event["type"][len("TYPE_") :].lower(),
        }
        if "name_iid" in event:
            found["name"] = self.interned["event_names"][event["name_iid"]]
        elif "name" in event:
            found["name"] = event["name"]
        if "source_location_iid" in event:
            found["place"] = self.interned["source_locations"][event["source_location_iid"]]
        found["facts"] = {
            each.get("name") or self.interned["debug_annotation_names"][each["name_iid"]]: plain(
                each, self.interned
            )
            for each in event.get("debug_annotations", [])
        }
        found.update(
            {
                key: event[key]
                for key in ("flow_ids", "terminating_flow_ids", "counter_value")
                if key in event
            }
        )
        self.events.append(found)

    def of(self, track):
        return [event for event in self.events if event["track"] == track]

    def slices(self, track):
        """The slices of a track in the order of their begins, each with the slices that enclose
        it."""
        slices, stack = [], []
        for event in self.of(track):
            if event["type"] == "slice_begin":
                assert event["name"]
                slices.append(dict(event, inside=list(stack)))
                stack.append(slices[-1])
            elif event["type"] == "slice_end":
                stack.pop()["end"] = event["ts"]
        assert not stack
        return slices

    def named(self, name, parent=None):
        return [
            uuid
            for uuid, track in self.tracks.items()
            if re.fullmatch(name, track.get("name", ""))
            and parent in (None, track.get("parent_uuid"))
        ]

    def threads(self):
        return {
            uuid: (track["thread"]["pid"], track["thread"]["tid"])
            for uuid, track in self.tracks.items()
            if "thread" in track
        }

    def process(self, pid):
        return next(
            uuid
            for uuid, track in self.tracks.items()
            if track.get("process", {}).get("pid") == pid
        )


def label(trace, uuid):
    """A readable name of a track, after those of its parents."""
    track = trace.tracks[uuid]
    own = track.get("name") or "{} {}".format(
        *[
            (kind, track[kind]["tid" if kind == "thread" else "pid"])
            for kind in ("process", "thread")
            if kind in track
        ][0]
    )
    return f"{label(trace, track['parent_uuid'])} / {own}" if "parent_uuid" in track else own


def shown(trace):
    """A readable form of a trace: its tracks, then its events in time order, with interned strings
    resolved."""
    lines = [f"clocks {json.dumps(trace.clocks, sort_keys=True)}"]
    lines += [
        f"track {label(trace, uuid)}: {json.dumps(track, sort_keys=True, ensure_ascii=False)}"
        for uuid, track in trace.tracks.items()
    ]
    for event in trace.events:
        words = [
            f"{event['ts']}",
            label(trace, event["track"]),
            event["type"],
            event.get("name", ""),
        ]
        words += (
            [f"({event['place'].get('file_name')}:{event['place'].get('line_number', '?')})"]
            if "place" in event
            else []
        )
        words += [
            f"{key}={event[key]}"
            for key in ("counter_value", "flow_ids", "terminating_flow_ids")
            if key in event
        ]
        words += [json.dumps(event["facts"], ensure_ascii=False)] if event["facts"] else []
        lines.append(" ".join(filter(None, words)))
    return "\n".join(lines) + "\n"
