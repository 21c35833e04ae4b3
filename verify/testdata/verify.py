#!/usr/bin/env python3
"""Verifies receipts and evidence bundles of a Forewarn exchange, and the vectors of
this folder, with the standard library of Python alone.

    verify.py receipt FILE LOGKEY [WITNESSKEY ...]
    verify.py bundle  FILE LOGKEY [WITNESSKEY ...]
    verify.py vectors FILE

Written from docs/guide/verify.md, and sharing nothing with the Go code. It exits with
7 when something does not hold.
"""
import base64, hashlib, json, sys, tarfile, zlib


class Bad(Exception):
    pass


def need(ok, what):
    if not ok:
        raise Bad(what)


def sha(b):
    return hashlib.sha256(b).digest()


def b64(text, padded=True):
    """Base 64 in one form only."""
    b = base64.b64decode(text if padded else text + "=" * (-len(text) % 4), validate=True)
    again = base64.b64encode(b).decode()
    need((again if padded else again.rstrip("=")) == text, "base 64: %r" % text)
    return b


# Ed25519 (RFC 8032 §5.1, §6).

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def point(b):
    y = int.from_bytes(b, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if len(b) != 32 or y >= P:
        return None
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * ROOT % P
    if (x * x - xx) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, p):
    q = (0, 1, 1, 0)
    while n:
        if n & 1:
            q = add(q, p)
        p, n = add(p, p), n >> 1
    return q


def base():
    y = 4 * pow(5, P - 2, P) % P
    return point(y.to_bytes(32, "little"))


def ed25519(public, message, signature):
    a, r = point(public), point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or len(signature) != 64 or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    p, q = times(s, base()), add(r, times(h, a))
    return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0


# Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint, tlog-cosignature).


def key(text, algorithm):
    name, ident, data = text.strip().split("+", 2)
    data = b64(data)
    need(data[0] == algorithm and len(data) == 33, "the type of the key " + name)
    need(sha(name.encode() + b"\n" + data)[:4].hex() == ident, "the identifier of the key " + name)
    return name, bytes.fromhex(ident), data[1:]


def checkpoint(note, keys, witnesses=()):
    """The origin, size and root of a checkpoint, and the witnesses that signed it."""
    text, _, signatures = note.decode().rpartition("\n\n")
    text += "\n"
    signed, seen = False, []
    need(signatures.endswith("\n"), "the last line of the checkpoint")
    for line in signatures.splitlines():
        need(line.startswith("\u2014 ") and line.count(" ") == 2, "a signature line")
        _, name, sig = line.split(" ")
        sig = b64(sig)
        for k in keys:
            kname, ident, public = key(k, 1)
            if (kname, ident) == (name, sig[:4]):
                need(ed25519(public, text.encode(), sig[4:]), "the signature of " + name)
                signed = signed or text.startswith(name + "\n")
        for k in witnesses:
            kname, ident, public = key(k, 4)
            if (kname, ident) == (name, sig[:4]):
                at = int.from_bytes(sig[4:12], "big")
                need(ed25519(public, b"cosignature/v1\ntime %d\n" % at + text.encode(), sig[12:]), "the signature of " + name)
                seen.append(name)
    need(signed, "no signature of the log's key")
    origin, size, root = text.split("\n")[:3]
    need(str(int(size)) == size, "the size")
    return origin, int(size), b64(root), sorted(set(seen))


# Trees (RFC 6962 §2.1).


def leaf(b):
    return sha(b"\0" + b)


def node(a, b):
    return sha(b"\1" + a + b)


def inclusion(h, index, size, proof):
    """The root that an inclusion proof leads to (RFC 9162 §2.1.3.2)."""
    need(0 <= index < size, "the index")
    fn, sn = index, size - 1
    for p in proof:
        need(sn > 0, "the length of the proof")
        if fn & 1 or fn == sn:
            h = node(p, h)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            h = node(h, p)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0, "the length of the proof")
    return h


def consistent(old, now, oldroot, newroot, proof):
    """Whether a tree goes on to another (RFC 9162 §2.1.4.2)."""
    if old == now:
        return not proof and oldroot == newroot
    proof = list(proof)
    if old & (old - 1) == 0:
        proof.insert(0, oldroot)
    fn, sn = old - 1, now - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    if not proof:
        return False
    fr = sr = proof[0]
    for c in proof[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return fr == oldroot and sr == newroot and sn == 0


# Entries and their openings.


def canonical(v):
    return json.dumps(v, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def commit(salt, name, value):
    return sha(salt + name.encode() + b"\0" + value)


def entry(opening):
    if "event" in opening:
        salt, parts = b64(opening["salt"], False), []
        for name, v in opening["event"].items():
            if isinstance(v, list) and v:
                parts += [("%s[%d]" % (name, i), canonical(e)) for i, e in enumerate(v)]
            else:
                parts.append((name, canonical(v)))
        fill = 0
        while not parts or len(parts) % 16:
            parts.append(("#%d" % fill, b""))
            fill += 1
        all = [commit(sha(salt + n.encode())[:16], n, v) for n, v in parts]
    else:
        names = [p["name"] for p in opening["parts"]]
        need(len(set(names)) == len(names) > 0, "a part that stands twice")
        all = [b64(h, False) for h in opening.get("hidden", [])]
        all += [commit(b64(p["salt"], False), p["name"], canonical(p["value"])) for p in opening["parts"]]
        need(len(all) % 16 == 0, "the number of parts")
    return b"\1" + sha(b"forewarn event v1\n" + b"".join(sorted(all)))


def shown(opening, name):
    if "event" in opening:
        return opening["event"].get(name)
    return next((p["value"] for p in opening["parts"] if p["name"] == name), None)


# Receipts.


def receipt(b, keys, witnesses=()):
    if b.startswith(b"forewarn receipt v1\n"):
        need(sha(b[:-8])[:8] == b[-8:], "the receipt is damaged")
        head, rest = b[20:-8].split(b"\n", 1)
        index, hashes, size = map(int, head.split(b" "))
        proof = [rest[i * 32 : i * 32 + 32] for i in range(hashes)]
        need(len(rest) == hashes * 32 + size, "the length of the receipt")
        text, _, note = zlib.decompress(rest[hashes * 32 :], -15).partition(b"\n")
    else:
        head, _, note = b.partition(b"\n\n")
        lines = head.decode().split("\n")
        need(lines[0] == "c2sp.org/tlog-proof@v1" and lines[1][:6] == "extra " and lines[2][:6] == "index ", "not a receipt")
        text, index, proof = b64(lines[1][6:]), int(lines[2][6:]), [b64(l) for l in lines[3:]]
    opening = json.loads(text)
    origin, size, root, seen = checkpoint(note, keys, witnesses)
    need(inclusion(leaf(entry(opening)), index, size, proof) == root, "place %d: not what the receipt shows" % index)
    return origin, index, size, opening, seen


# Evidence bundles.


def tile_path(n):
    path = "%03d" % (n % 1000)
    while n >= 1000:
        n //= 1000
        path = "x%03d/%s" % (n % 1000, path)
    return path


def top(hashes):
    while len(hashes) > 1:
        hashes = [node(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]


def split32(b):
    return [b[i : i + 32] for i in range(0, len(b), 32)]


def bundle(path, keys, witnesses=()):
    files = {}
    with tarfile.open(path) as t:
        for f in t:
            need(f.name not in files, f.name + " stands twice")
            files[f.name] = t.extractfile(f).read()
    manifest, end = json.loads(files["manifest.json"]), json.loads(files["end.json"])
    need(manifest["format"] == "forewarn evidence bundle v1", "the form of the bundle")
    with open(path, "rb") as f:
        whole = f.read()
    # end.json is the last file: its header, its block, and two empty blocks.
    need(hashlib.sha256(whole[: -4 * 512]).hexdigest() == end["sha256"], "the bundle was changed")
    origin, size, root, seen = checkpoint(files["checkpoint"], keys, witnesses)
    need((origin, size) == (manifest["origin"], manifest["size"]), "the manifest is of another log")
    tiles, edge, have = {}, [], None
    for level in range(8):
        width = (size >> 8 * level) % 256
        if width:
            n = size >> 8 * (level + 1)
            tile = split32(files["tile/%d/%s.p/%d" % (level, tile_path(n), width)])
            need(len(tile) == width, "the width of a tile")
            tiles[level, n] = tile
            while tile:
                part = len(tile) & -len(tile)
                h = top(tile[-part:])
                have, tile = h if have is None else node(h, have), tile[:-part]
    need((have or sha(b"")) == root, "the tiles at the edge are not those of the checkpoint")

    def tile(level, n):
        name = "tile/%d/%s" % (level, tile_path(n))
        if (level, n) not in tiles:
            need(name in files, name + " is missing")
            tiles[level, n] = split32(files[name])
            need(len(tiles[level, n]) == 256 and top(tiles[level, n]) == tile(level + 1, n >> 8)[n % 256], name + " is wrong")
        return tiles[level, n]

    last, count, number = -1, 0, None
    for name in files:
        if not name.startswith("entries/"):
            continue
        for line in files[name].decode().splitlines():
            e = json.loads(line)
            index, h = e["index"], leaf(entry(e["opening"]))
            need(index > last and name == "entries/%s.jsonl" % tile_path(index >> 8), "place %d: in the wrong file" % index)
            if "path" in e:
                for i, p in enumerate(e["path"]):
                    p = b64(p, False)
                    h = node(p, h) if index >> i & 1 else node(h, p)
                need(len(e["path"]) == 8 and h == tile(1, index >> 16)[index >> 8 & 255], "place %d: not what is shown" % index)
            else:
                need(h == tile(0, index >> 8)[index & 255], "place %d: not what is shown" % index)
            need(shown(e["opening"], "program") == manifest["program"], "place %d: of another program" % index)
            n = shown(e["opening"], "number")
            need(number is None or n == number + 1, "number %s is missing, before place %d" % (number and number + 1, index))
            last, count, number = index, count + 1, n
    need(count == end["entries"], "the number of entries")
    return manifest, count, seen


# Vectors.


def vectors(path):
    with open(path) as f:
        v = json.load(f)
    done = 0

    def expect(valid, what, fn):
        nonlocal done
        done += 1
        try:
            ok = fn() is not False
        except (Bad, ValueError, KeyError, zlib.error) as e:
            ok = False
        if ok != valid:
            raise Bad("vector %s: %s, but it should be %s" % (what, ok, valid))

    for x in v["entries"]:
        expect(True, x["name"], lambda: entry(x["opening"]).hex() == x["entry"])
    for x in v["checkpoints"]:
        expect(x["valid"], x["name"], lambda: checkpoint(x["note"].encode(), x["keys"], x["witnesses"])[1:4:2] == (x["size"], x["signed_by"]))
    for x in v["inclusion"]:
        expect(x["valid"], "inclusion", lambda: inclusion(b64(x["leaf"]), x["index"], x["size"], map(b64, x["proof"])) == b64(x["root"]))
    for x in v["consistency"]:
        expect(x["valid"], "consistency", lambda: consistent(x["from"], x["to"], b64(x["from_root"]), b64(x["to_root"]), list(map(b64, x["proof"]))))
    for x in v["receipts"]:
        expect(x["valid"], x["name"], lambda: bool(receipt(b64(x["receipt"]), x["keys"], x["witnesses"])))
    return done


def main(args):
    try:
        if args[0] == "vectors":
            print(vectors(args[1]), "vectors hold")
        elif args[0] == "receipt":
            with open(args[1], "rb") as f:
                origin, index, size, opening, seen = receipt(f.read(), args[2:3], args[3:])
            print(json.dumps(opening.get("event") or {p["name"]: p["value"] for p in opening["parts"]}, indent=1, ensure_ascii=False))
            print("place %d in %s, among %d; witnesses: %s\nVALID" % (index, origin, size, ", ".join(seen) or "none"))
        elif args[0] == "bundle":
            manifest, count, seen = bundle(args[1], args[2:3], args[3:])
            print("%s: %d events of %s\nVALID" % (manifest["origin"], count, manifest["program"]))
        else:
            raise IndexError
    except IndexError:
        print(__doc__, file=sys.stderr)
        return 2
    except Bad as e:
        print("NOT VALID:", e, file=sys.stderr)
        return 7
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
