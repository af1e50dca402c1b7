#!/usr/bin/env python3
"""Writes a C file that defines every function of a header, so that a compiler describes them with all their types.

The release library carries no description of its types. The header is what a caller compiles against, and a test holds it
equal to the sources, so its description is the library's.

usage: declared.py include/peerguard.h > declared.c
"""
import re
import sys

header = open(sys.argv[1]).read()
body = re.sub(r"//.*", "", header[header.index("#ifndef PEERGUARD_H"):])
print('#include "peerguard.h"')
for returned, name, args in re.findall(r"^((?:const )?\w+ \**)(peerguard_\w+)\(([^)]*)\);", body, re.M):
    names = [] if args.strip() == "void" else [re.search(r"(\w+)\s*$", arg)[1] for arg in args.split(",")]
    unused = " ".join(f"(void){n};" for n in names)
    print(f"{returned}{name}({' '.join(args.split())}) {{ {unused} return 0; }}")
