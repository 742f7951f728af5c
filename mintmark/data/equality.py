"""Which records are equal: digests of payloads, the sets that share one, and what equality says about labels.

Equal means equal payloads, value by value; labels, ids and groups are not part of it. Knows nothing of nearness.
"""

import hashlib

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Int64, UInt64

from mintmark.data.records import Form, payload_array

DIGEST_BYTES = 16  # two different payloads share a digest with a chance below n^2 / 2^128


def payload_digests(batch: pa.RecordBatch, form: Form) -> UInt64[np.ndarray, "n 2"]:
    """One 128-bit digest of each record's payload; equal payloads have equal digests.

    A batch of images or series must hold no null payload.
    """
    if form.kind == "table":
        rows = zip(*(batch.column(name).to_pylist() for name in form.columns), strict=True)
        payloads = [repr(row).encode() for row in rows]  # repr of a float is exact
    else:
        payloads = [np.ascontiguousarray(one).data for one in payload_array(batch, form.kind)]
    digests = b"".join(hashlib.blake2b(payload, digest_size=DIGEST_BYTES).digest() for payload in payloads)
    return np.frombuffer(digests, np.uint64).reshape(-1, 2)


def equal_sets(digests: UInt64[np.ndarray, "n 2"]) -> Int64[np.ndarray, " n"]:
    """The number of the set of equal records that each record belongs to, from 0."""
    pairs = np.ascontiguousarray(digests).view([("high", np.uint64), ("low", np.uint64)]).reshape(-1)
    return np.unique(pairs, return_inverse=True)[1].astype(np.int64)


def repeats(codes: Int64[np.ndarray, " n"], sets: Int64[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Which records say nothing that an equal record does not say as well.

    The first record of each label in a set stays; an unlabelled record stays only where it is the first of a set
    without labels.

    Args:
        codes: Class codes; -1 for an unlabelled record.
        sets: From `equal_sets`.
    """
    first = np.zeros(len(codes), bool)
    first[np.unique(np.stack([sets, codes]), axis=1, return_index=True)[1]] = True
    labelled_set = np.zeros(int(sets.max(initial=-1)) + 1, bool)
    labelled_set[sets[codes >= 0]] = True
    return ~first | ((codes < 0) & labelled_set[sets])


def num_labels(codes: Int64[np.ndarray, " n"], sets: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """How many different labels the equal records of a labelled record carry, itself included; 0 where unlabelled.

    Args:
        codes: Class codes; -1 for an unlabelled record.
        sets: From `equal_sets`.
    """
    labelled = codes >= 0
    pairs = np.unique(np.stack([sets[labelled], codes[labelled]]), axis=1)
    in_set = np.bincount(pairs[0], minlength=int(sets.max(initial=-1)) + 1)
    return np.where(labelled, in_set[sets], 0).astype(np.int64)
