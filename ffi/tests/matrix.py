#!/usr/bin/env python3
"""Writes a C program that calls every function of peerguard.h with bad arguments.

For each function it makes the calls that the header's types allow to go wrong: every pointer NULL and misaligned, every
handle zero, made up, freed and of another kind, every length and struct size wrong, every enumerator out of range; each
answer must be the documented code. With the library of the fault build it then makes each function panic, and calls it once
more. A parameter that the generator does not know is an error, so that no new function is left out.

usage: matrix.py include/peerguard.h > matrix.c
"""
import re
import sys

header = open(sys.argv[1]).read()
body = header[header.index("#ifndef PEERGUARD_H"):]
body = re.sub(r"//.*", "", body)
functions = re.findall(r"^((?:const )?\w+ \**)(peerguard_\w+)\(([^)]*)\);", body, re.M)

# Those that pick a static text or a number: nothing can go wrong.
TEXTS = {"peerguard_abi_version", "peerguard_version", "peerguard_status_text", "peerguard_reason_text",
         "peerguard_event_text", "peerguard_metrics_content_type"}
HANDLES = ("peerguard_guard", "peerguard_peer", "peerguard_snapshot", "peerguard_exporter", "peerguard_text")

# The arena has an array of characters of the other name.
KINDS = {"peerguard_text": "text_handle"}

# Pointers that may be NULL, by function and parameter; a * stands for every function.
NULLABLE = {("*", "rejection"), ("*", "rejections"), ("*", "recorded"), ("*", "traffic"), ("*", "returned"),
            ("*", "lost"), ("*", "latency_ms"), ("*", "answers"), ("*", "latency"), ("*", "taken_at"), ("*", "clock"),
            ("*", "message"), ("*", "admitted"), ("*", "scores"), ("*", "system_error"), ("peerguard_explain", "events"),
            ("peerguard_explain", "written")}
# Types without alignment.
BYTES = {"peerguard_id", "uint8_t", "char"}
# Enumerators: parameter -> a good value, bad values.
ENUMS = {"direction": ("PEERGUARD_UPLOAD", ["2", "UINT32_MAX"]),
         "outcome": ("PEERGUARD_MESSAGE_SUCCESS", ["10", "UINT32_MAX"]),
         "forced": ("PEERGUARD_FORCED_OBSERVE", ["0", "4", "UINT32_MAX"]),
         "code": ("7", ["256", "UINT32_MAX"]),
         "format": ("PEERGUARD_METRICS_OPENMETRICS", ["2", "UINT32_MAX"]),
         "role": ("PEERGUARD_ROLE_READER", ["2", "UINT32_MAX"])}
SCALARS = {"bytes": "1", "want": "1", "latency": "PEERGUARD_NONE", "duration": "1000000000", "upload": "0",
           "download": "0", "first": "0", "cursor": "0"}
COUNTS = {"count": "2", "capacity": "2", "length": "64"}
SIZES = {"struct_size": "sizeof(peerguard_config)", "view_size": "sizeof(peerguard_peer_view)",
         "event_size": "sizeof(peerguard_event)"}
SIZES_OF = {"peerguard_exporter_options_init": "sizeof(peerguard_exporter_options)"}
# Structs that begin with their size.
GROWING = {"peerguard_config", "peerguard_peer_view", "peerguard_totals", "peerguard_explanation", "peerguard_records",
           "peerguard_exporter_options"}


class Param:
    def __init__(self, function, text):
        text = " ".join(text.split()).replace("struct ", "")
        match = re.fullmatch(r"(const )?(\w+) (const )?(\**)\s*(\w+)", text.replace("* *", "**"))
        if not match:
            sys.exit(f"{function}: cannot read the parameter {text!r}")
        self.const = bool(match[1])
        self.type, self.stars, self.name = match[2], len(match[4]), match[5]
        self.function = function

    @property
    def nullable(self):
        return ("*", self.name) in NULLABLE or (self.function, self.name) in NULLABLE

    def good(self):
        """An expression for a good argument; `a` is the arena."""
        if self.stars == 2:
            return "&a->gate"
        if self.stars:
            if self.name == "request":
                return "a->request"
            member = {"peerguard_guard": "new_guard", "peerguard_peer": "new_peer",
                      "peerguard_snapshot": "new_snapshot", "peerguard_exporter": "new_exporter",
                      "peerguard_text": "new_text", "size_t": "sizes", "uint32_t": "words",
                      "int32_t": "ints", "uint64_t": "longs", "int64_t": "signed_longs", "double": "doubles",
                      "char": "text", "uint8_t": "text"}.get(self.type)
            if self.type == "size_t":
                return f"&a->size_{self.name}"
            if self.type == "uint8_t":
                return "(const uint8_t *)a->text"
            if self.type in HANDLES:
                return f"&a->{member}"
            return f"a->{member or self.type.removeprefix('peerguard_')}"
        if self.type in HANDLES:
            return "a->" + KINDS.get(self.type, self.type.removeprefix("peerguard_"))
        if self.name in ENUMS:
            return ENUMS[self.name][0]
        if self.name in SCALARS:
            return SCALARS[self.name]
        if self.name == "generation":
            return "0"
        if self.name == "capacity" and self.function == "peerguard_id_format":
            return "PEERGUARD_ID_TEXT"
        if self.name == "capacity" and self.function == "peerguard_exporter_address":
            return "PEERGUARD_ADDRESS_TEXT"
        if self.name == "length" and self.function == "peerguard_exporter_query":
            return "strlen(a->request)"
        if self.name in SIZES and self.function in SIZES_OF:
            return SIZES_OF[self.function]
        if self.name in COUNTS:
            return COUNTS[self.name]
        if self.name in SIZES:
            return SIZES[self.name]
        sys.exit(f"{self.function}: no argument for {self.type} {self.name}")

    def bad(self):
        """Pairs of a bad argument and the code for it."""
        if self.stars:
            cast = f"({'const ' if self.const else ''}{self.type} {'const *' if self.stars == 2 else ''}*)"
            if self.stars == 2:
                cast = "(const uint64_t **)"
            if not self.nullable:
                yield f"{cast}NULL", "PEERGUARD_ERR_NULL"
            if self.type not in BYTES:
                yield f"{cast}(void *)((char *)(void *)({self.good()}) + 1)", "PEERGUARD_ERR_ALIGNMENT"
        elif self.type in HANDLES:
            kind = self.type.removeprefix("peerguard_")
            other = "peer" if kind == "guard" else "guard"
            yield "0", "PEERGUARD_ERR_HANDLE"
            yield "UINT64_MAX", "PEERGUARD_ERR_HANDLE"
            yield f"a->{other}", "PEERGUARD_ERR_HANDLE"
            yield f"{self.good()} + 1", "PEERGUARD_ERR_HANDLE"
            yield f"{self.good()} + ((uint64_t)1 << 32)", "PEERGUARD_ERR_HANDLE"
            yield f"a->freed_{kind}", "PEERGUARD_ERR_FREED"
        elif self.name in ENUMS:
            for value in ENUMS[self.name][1]:
                yield value, "PEERGUARD_ERR_ENUM"
        elif self.name == "generation":
            yield "0x4000", "PEERGUARD_ERR_PERMIT"
            yield "UINT32_MAX", "PEERGUARD_ERR_PERMIT"
        elif self.name in COUNTS and not self.stars:
            if self.function != "peerguard_id_parse":
                yield "SIZE_MAX", "PEERGUARD_ERR_LENGTH"
            if self.function in ("peerguard_id_parse", "peerguard_exporter_query"):
                yield self.good() + " - 1", "PEERGUARD_ERR_TEXT"
                yield "0", "PEERGUARD_ERR_TEXT"
            if self.function == "peerguard_exporter_address":
                yield "PEERGUARD_ADDRESS_TEXT - 1", "PEERGUARD_ERR_LENGTH"
            if self.function == "peerguard_id_format":
                yield "64", "PEERGUARD_ERR_LENGTH"
                yield "0", "PEERGUARD_ERR_LENGTH"
        elif self.name in SIZES:
            for value in ("0", self.good() + " - 1", self.good() + " + 8", "SIZE_MAX"):
                yield value, "PEERGUARD_ERR_STRUCT_SIZE"
        elif self.name in ("upload", "download"):
            yield "((uint64_t)1 << 40) + 1", "PEERGUARD_ERR_CONFIG"


def calls():
    for returned, name, args in functions:
        if name in TEXTS:
            continue
        if returned.strip() != "int32_t":
            sys.exit(f"{name} returns {returned}")
        params = [] if args.strip() == "void" else [Param(name, arg) for arg in args.split(",")]
        yield name, params


def fresh(name):
    """Renews the arena, with a permit of the kind that the function takes."""
    return "fresh_peer(a);" if name.startswith("peerguard_peer_") else "fresh(a);"


def emit(name, arguments, expected, what):
    print(f"    {fresh(name)}\n    expect({name}({', '.join(arguments)}), {expected}, \"{name}: {what}\");")


print(f"""/* Written by matrix.py. */
#include "matrix.h"

static void bad_arguments(struct arena *a) {{""")
for name, params in calls():
    good = [p.good() for p in params]
    for i, param in enumerate(params):
        for value, code in param.bad():
            emit(name, good[:i] + [value] + good[i + 1:], code, f"{param.name} = {value}".replace('"', "'"))
        if param.stars == 1 and param.type in GROWING and name not in (
                "peerguard_config_init", "peerguard_config_init_classic", "peerguard_exporter_options_init",
                "peerguard_snapshot_peers",
                "peerguard_snapshot_top_peers", "peerguard_snapshot_sync_candidates"):
            for value in ("0", f"sizeof({param.type}) + 8"):
                member = param.type.removeprefix("peerguard_")
                print(f"    {fresh(name)}\n    a->{member}[0].struct_size = {value};")
                print(f"    expect({name}({', '.join(good)}), PEERGUARD_ERR_STRUCT_SIZE, \"{name}: struct_size {value}\");")
        if param.stars == 1 and param.type == "peerguard_permit" and name not in (
                "peerguard_admit", "peerguard_admit_bytes", "peerguard_grant_up_to", "peerguard_peer_admit",
                "peerguard_peer_admit_bytes", "peerguard_peer_grant_up_to", "peerguard_admit_batch",
                "peerguard_report_batch"):
            for what in ("owner ^= 1", "state = 0", "state = 7", "hold = 9", "slot = UINT32_MAX", "generation = 0xffff",
                         "direction = 2", "probe = 2"):
                print(f"    {fresh(name)}\n    a->permit[0].{what};")
                print(f"    expect({name}({', '.join(good)}), PEERGUARD_ERR_PERMIT, \"{name}: permit {what}\");")
            print(f"    {fresh(name)}\n    a->permit[0].state = 2;")
            print(f"    expect({name}({', '.join(good)}), PEERGUARD_ERR_SPENT, \"{name}: permit spent\");")
print("}\n\nstatic void good_arguments(struct arena *a, void (*before)(void)) {")
for name, params in calls():
    good = [p.good() for p in params]
    print(f"    {fresh(name)}\n    if (before) {{\n        before();")
    print(f"        expect({name}({', '.join(good)}), PEERGUARD_ERR_PANIC, \"{name} with a fault\");\n    }}")
    print(f"    well({name}({', '.join(good)}), \"{name}\");")
print("}")
print("""
int main(void) {
    struct arena *a = arena_new();
    bad_arguments(a);
    good_arguments(a, FAULT);
    arena_free(a);
    printf("%d passed, 0 failed\\n", calls);
    return 0;
}""")
