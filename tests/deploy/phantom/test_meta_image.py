from __future__ import annotations

import zlib

import numpy as np
import pytest

from deploy.phantom.meta_image import meta_image

FRAMES = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5)


@pytest.mark.parametrize("compressed", [False, True])
def test_the_header_says_how_to_read_the_bytes(compressed: bool) -> None:
    data, header = meta_image("a/b_ED.mhd", FRAMES, (0.308, 0.154), compressed=compressed)
    said = dict(line.split(" = ", 1) for line in header.data.decode("ascii").splitlines())
    assert header.path == "a/b_ED.mhd"
    assert said["ElementDataFile"] == data.path.removeprefix("a/") == ("b_ED.zraw" if compressed else "b_ED.raw")
    assert list(said)[-1] == "ElementDataFile", "a reader stops there"
    assert said["CompressedData"] == str(compressed)
    assert said["ElementType"] == "MET_UCHAR"
    assert said["ElementSpacing"] == "0.308 0.154 1"
    assert said.get("CompressedDataSize") == (str(len(data.data)) if compressed else None)
    raw = zlib.decompress(data.data) if compressed else data.data
    width, height, count = map(int, said["DimSize"].split())
    np.testing.assert_array_equal(np.frombuffer(raw, np.uint8).reshape(count, height, width), FRAMES)
