"""`python -m segbook predict` on pictures of all kinds, with models whose masks are known."""

import io
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from segbook import models, predict
from segbook.__main__ import main
from segbook.palette import palette


def pixelwise(classes=3, shape=(None, None, 3)):
    """A model whose logits are the channels in turn: the class is that of the strongest."""
    inputs = keras.Input(shape)
    kernel = np.zeros((1, 1, shape[-1], classes), "float32")
    for i in range(min(classes, shape[-1])):
        kernel[0, 0, i, i] = 1
    layer = keras.layers.Conv2D(classes, 1, use_bias=classes == 1)
    model = keras.Model(inputs, layer(inputs))
    layer.set_weights([kernel, np.full(1, -0.5, "float32")] if classes == 1 else [kernel])
    return model


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "a.keras"
    pixelwise().save(path)
    return path


def photo(height=5, width=8):
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)


def small_tiles(monkeypatch, tile, margin, stride):
    for name, value in {"TILE": tile, "MARGIN": margin, "STRIDE": stride}.items():
        monkeypatch.setattr(predict, name, value)


def run(capsys, *arguments):
    """Run the command; give its status, and lines of stdout and stderr."""
    status = main(["predict", *map(str, arguments)])
    said = capsys.readouterr()
    return status, said.out.splitlines(), said.err.splitlines()


TURNED = Image.Exif()
TURNED[0x0112] = 6
GREYS = np.arange(40, dtype=np.uint8).reshape(5, 8) * 6
ALPHA = np.concatenate([photo(), np.full((5, 8, 1), 51, np.uint8)], axis=2)  # a fifth
CYAN = np.array([[[255, 0, 0, 0], [0, 255, 0, 0], [0, 0, 255, 0]]], np.uint8)


def indexed():
    image = Image.fromarray(GREYS // 6 % 3)
    image.putpalette([9, 0, 200, 0, 99, 0, 255, 1, 1])
    return image


PICTURES = {
    "colour.png": (Image.fromarray(photo()), {}, photo()),
    "colour.bmp": (Image.fromarray(photo()), {}, photo()),
    "turned.png": (Image.fromarray(photo()), {"exif": TURNED}, np.rot90(photo(), -1)),
    "grey.png": (Image.fromarray(GREYS), {}, np.repeat(GREYS[..., None], 3, 2)),
    "transparent.png": (Image.fromarray(ALPHA), {}, np.round(photo() * 0.2 + 255 * 0.8)),
    "grey and clear.png": (
        Image.fromarray(np.stack([GREYS, np.zeros_like(GREYS)], 2)),
        {},
        np.full((5, 8, 3), 255),
    ),
    "palette.gif": (
        indexed(),
        {},
        np.array([(9, 0, 200), (0, 99, 0), (255, 1, 1)])[GREYS // 6 % 3],
    ),
    "16 bits.png": (
        Image.fromarray(np.arange(40, dtype=np.uint16).reshape(5, 8) * 1600),
        {},
        np.repeat((np.arange(40).reshape(5, 8, 1) * 1600) // 257, 3, 2),
    ),
    "16 bits turned.tif": (
        Image.fromarray(np.array([[0, 256, 65535]], np.uint16)),
        {"exif": TURNED},
        np.array([0, 0, 255]).reshape(3, 1, 1) * np.ones(3),
    ),
    "inks.tif": (
        Image.frombytes("CMYK", (3, 1), CYAN.tobytes()),
        {},
        np.array([[(0, 255, 255), (255, 0, 255), (255, 255, 0)]]),
    ),
    "black or white.png": (
        Image.fromarray(GREYS > 99),
        {},
        np.repeat(255 * (GREYS > 99)[..., None], 3, 2),
    ),
    "one.png": (Image.fromarray(photo(1, 1)), {}, photo(1, 1)),
    "tall.png": (Image.fromarray(photo(90, 1)), {}, photo(90, 1)),
    "wide.webp": (Image.fromarray(photo(1, 90)), {"lossless": True}, photo(1, 90)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_of_all_kinds(saved, tmp_path, capsys, name):
    image, options, expected = PICTURES[name]
    image.save(tmp_path / name, **options)
    rounded = name == "transparent.png"  # alpha takes a step of its own
    np.testing.assert_allclose(predict.read_any(tmp_path / name), expected, atol=rounded)
    out = tmp_path / "deep" / "out"
    status, said, errors = run(capsys, saved, tmp_path / name, "--out", out)
    assert (status, errors) == (0, [])
    assert said == [f"1 of 1 pictures segmented, in {out}"]
    stem = Path(name).stem
    mask = Image.open(out / f"{stem}_mask.png")
    assert mask.mode == "P"
    seen = predict.read_any(tmp_path / name)
    np.testing.assert_array_equal(np.asarray(mask), seen.argmax(2))
    colors = palette(["class 0", "class 1", "class 2"])
    painted = np.asarray(mask.convert("RGB"))
    np.testing.assert_array_equal(painted, colors[seen.argmax(2)])
    overlay = np.asarray(Image.open(out / f"{stem}_overlay.jpg"))
    assert overlay.shape == seen.shape
    assert overlay.mean() == pytest.approx((0.45 * seen + 0.55 * painted).mean(), abs=4)


def spoil(folder, name):
    path = folder / name
    good = io.BytesIO()
    Image.fromarray(photo(50, 60)).save(good, "PNG")
    match name:
        case "empty.png":
            path.write_bytes(b"")
        case "text.jpg":
            path.write_text("hello")
        case "cut off.png":
            path.write_bytes(good.getvalue()[:-2000])
        case "folder.png":
            path.mkdir()
        case "floats.tif":
            Image.fromarray(np.zeros((3, 4), np.float32)).save(path)
        case "32 bits.tif":
            Image.fromarray(np.full((3, 4), 70_000, np.int32)).save(path)
        case "lab.tif":
            Image.new("LAB", (3, 4)).save(path)
        case "bomb.png":
            path.write_bytes(good.getvalue())
    return path


BAD = {
    "missing.png": "no such file",
    "folder.png": "no such file",
    "empty.png": "the file is empty, 0 bytes",
    "text.jpg": "not a readable image (cannot identify image file",
    "cut off.png": "not a readable image (",
    "floats.tif": "mode F, expected 8 or 16 bits a channel",
    "32 bits.tif": "mode I, expected 8 or 16 bits a channel",
    "lab.tif": "mode LAB, expected 8 or 16 bits a channel",
    "bomb.png": "not a readable image (Image size (3000 pixels) exceeds limit",
}


def test_bad_pictures_get_a_line_each_and_the_others_go_on(saved, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow refuses twice as many
    for name in ("a.png", "z.png"):
        Image.fromarray(photo(40, 30)).save(tmp_path / name)
    bad = [spoil(tmp_path, name) for name in BAD]
    pictures = [tmp_path / "a.png", *bad, tmp_path / "z.png"]
    status, said, errors = run(capsys, saved, *pictures, "--out", tmp_path / "out", "--no-overlay")
    assert status == 1
    assert said == [f"2 of 11 pictures segmented, in {tmp_path / 'out'}"]
    for line, path in zip(errors, bad, strict=True):
        assert line.startswith(f"{path}: {BAD[path.name]}")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a_mask.png", "z_mask.png"]


def test_no_mask_takes_the_place_of_another(saved, tmp_path, capsys):
    for name in ("one/a.png", "two/a.png"):
        (tmp_path / name).parent.mkdir()
        Image.fromarray(photo()).save(tmp_path / name)
    (tmp_path / "a.jpg").write_bytes(b"")  # has none
    pictures = [tmp_path / "a.jpg", tmp_path / "one" / "a.png", tmp_path / "two" / "a.png"]
    status, said, errors = run(capsys, saved, *pictures, "--out", tmp_path / "one")
    assert (status, said[0][:6]) == (1, "1 of 3")
    assert errors[1] == f"{pictures[2]}: its mask would have the name of that of {pictures[1]}"
    np.testing.assert_array_equal(np.asarray(Image.open(pictures[1])), photo())


@pytest.mark.parametrize(("height", "width"), [(40, 70), (64, 64), (65, 20)])
def test_large_pictures_go_in_tiles_with_the_same_result(monkeypatch, height, width):
    tiles = []
    model = pixelwise()

    class Watched:
        input_shape, output_shape = model.input_shape, model.output_shape

        def predict_on_batch(self, x):
            tiles.append((x.dtype, *x.shape[1:3], float(x.max())))
            return model.predict_on_batch(x)

    small_tiles(monkeypatch, 32, 8, 4)
    picture = photo(height, width)
    np.testing.assert_array_equal(predict.predict_mask(Watched(), picture), picture.argmax(2))
    assert len(tiles) > 2
    for dtype, rows, columns, largest in tiles:
        assert dtype == np.float32
        assert max(rows, columns) <= 32
        assert largest <= 1


def test_tiles_of_a_network_agree_with_the_whole(monkeypatch):
    """A margin of what a U-Net of depth 2 sees."""
    keras.utils.set_random_seed(0)
    model, picture = models.unet(4, width=4, depth=2), photo(97, 133)
    whole = model.predict_on_batch(picture[None] / np.float32(255))[0]
    small_tiles(monkeypatch, 64, 24, 4)
    clear = np.sort(whole, axis=2)[..., -1] - np.sort(whole, axis=2)[..., -2] > 1e-4
    mask = predict.predict_mask(model, picture)
    np.testing.assert_array_equal(mask[clear], whole.argmax(2)[clear])
    assert clear.mean() > 0.9


def test_memory_stays_at_a_few_bytes_a_pixel(monkeypatch):
    small_tiles(monkeypatch, 128, 16, 16)
    model, picture = pixelwise(classes=20), photo(1500, 2000)
    predict.predict_mask(model, picture[:200, :200])  # compiled
    tracemalloc.start()
    predict.predict_mask(model, picture)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 1500 * 2000  # its logits alone would take 80 bytes a pixel


def test_a_single_logit_has_two_classes(tmp_path, capsys):
    pixelwise(classes=1).save(tmp_path / "binary.keras")
    Image.fromarray(photo()).save(tmp_path / "a.png")
    options = "--out", tmp_path, "--classes", "background, crack"
    assert run(capsys, tmp_path / "binary.keras", tmp_path / "a.png", *options)[0] == 0
    mask = Image.open(tmp_path / "a_mask.png")
    np.testing.assert_array_equal(np.asarray(mask), photo()[..., 0] > 127)
    assert mask.getpalette()[:6] == palette(["background", "crack"]).ravel().tolist()


@pytest.mark.parametrize("fixed", [False, True])
def test_another_size_for_the_model(monkeypatch, fixed):
    """Each pixel of a picture becomes two by two; the model sees the smaller one."""
    small_tiles(monkeypatch, 8, 2, 2)  # one that takes one size gets it at once
    model = pixelwise(shape=(10, 14, 3) if fixed else (None, None, 3))
    small = photo(10, 14)
    picture = small.repeat(2, 0).repeat(2, 1)
    size = None if fixed else (10, 14)
    mask = predict.predict_mask(model, picture, size)
    np.testing.assert_array_equal(mask, picture.argmax(2))
    if fixed:
        with pytest.raises(ValueError, match=r"size=\(9, 9\) must be \(10, 14\), the only one"):
            predict.predict_mask(model, picture, (9, 9))


@pytest.mark.parametrize(
    ("lines", "names", "colors"),
    [
        ("road\ntraffic light\nsky\n", ("road", "traffic light", "sky"), {}),
        (
            "road 1 2 3\ntraffic light  4 5 6\n\nsky",
            ("road", "traffic light", "sky"),
            {0: (1, 2, 3), 1: (4, 5, 6)},
        ),
        ("zone 30\nzone 50\nzone 1 2 3 4", ("zone 30", "zone 50", "zone 1"), {2: (2, 3, 4)}),
    ],
)
def test_names_and_colours_lie_beside_the_model(saved, tmp_path, lines, names, colors):
    (tmp_path / "b.classes.txt").write_text(lines)
    expected = palette(names)
    for i, color in colors.items():
        expected[i] = color
    found, chosen = predict.model_classes(tmp_path / "b.keras", 3)
    assert found == names
    np.testing.assert_array_equal(chosen, expected)
    found, chosen = predict.model_classes(tmp_path / "b.keras", 3, ["x", "y", "car"])
    np.testing.assert_array_equal(chosen, palette(["x", "y", "car"]))


def models_that_cannot_work(tmp_path):
    x = keras.Input((None, None, 3))
    y = keras.layers.GlobalAveragePooling2D()(x)
    models_of = {
        "four": pixelwise(shape=(None, None, 4)),
        "many": pixelwise(classes=256),
        "vector": keras.Model(x, y),
        "pair": keras.Model([x, keras.Input((None, None, 3))], y),
    }
    for name, model in models_of.items():
        model.save(tmp_path / f"{name}.keras")
    (tmp_path / "text.keras").write_text("hello")
    return tmp_path


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("absent.keras", (), "absent.keras: no such file"),
        ("text.keras", (), "text.keras: not a model that Keras can read ("),
        ("four.keras", (), "four.keras: takes inputs of shape (None, None, None, 4), expected ("),
        ("pair.keras", (), "pair.keras: takes inputs of shape [("),
        ("vector.keras", (), "vector.keras: gives outputs of shape (None, 3), expected logits"),
        ("many.keras", (), "many.keras: gives outputs of shape (None, None, None, 256), expected"),
        ("good.keras", ("--classes", "a,b"), "good.keras: has 3 classes, but 2 are named"),
        ("good.keras", ("--classes", "a,b,a"), "class_names with 'a' twice"),
        ("good.keras", ("--size", "0", "4"), "size=(0, 4) must be None or (height, width)"),
        ("fixed.keras", ("--size", "3", "4"), "size=(3, 4) must be (5, 8), the only one"),
        ("colour.keras", (), "colour.classes.txt: colours must be of 0..255"),
        ("good.keras", ("--out", "a.png"), "a.png"),
    ],
)
def test_what_cannot_work_is_said_in_a_line(tmp_path, capsys, monkeypatch, model, options, message):
    monkeypatch.chdir(models_that_cannot_work(tmp_path))
    pixelwise().save("good.keras")
    pixelwise().save("colour.keras")
    pixelwise(shape=(5, 8, 3)).save("fixed.keras")
    Path("colour.classes.txt").write_text("a\nb 1 2 256\nc")
    Image.fromarray(photo()).save("a.png")
    status, said, errors = run(capsys, model, "a.png", "--out", "out", *options)
    assert status == 1
    assert message in errors[0]
    assert len(errors) == 1
    assert not said or said == ["0 of 1 pictures segmented, in out"]


def test_logits_of_another_size_are_said_for_each_picture(tmp_path, capsys):
    models.unet(2, width=2, depth=1, padding="valid").save(tmp_path / "valid.keras")
    for name in "ab":
        Image.fromarray(photo(40, 40)).save(tmp_path / f"{name}.png")
    pictures = tmp_path / "a.png", tmp_path / "b.png"
    status, _, errors = run(capsys, tmp_path / "valid.keras", *pictures, "--out", tmp_path)
    assert (status, len(errors)) == (1, 2)
    assert "model gives logits of size" in errors[1]


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_gives_way_to_what_went_wrong(saved, tmp_path, monkeypatch, terminal):
    shown = io.StringIO()
    shown.isatty = lambda: terminal
    monkeypatch.setattr("sys.stderr", shown)
    Image.fromarray(photo()).save(tmp_path / "a.png")
    pictures = [str(tmp_path / name) for name in ("b.png", "a.png")]
    assert main(["predict", str(saved), *pictures, "--out", str(tmp_path)]) == 1
    problem = f"{tmp_path / 'b.png'}: no such file"
    if not terminal:
        assert shown.getvalue() == problem + "\n"
        return
    lines = [line.strip() for line in shown.getvalue().split("\r")[1:]]
    assert lines == [f"loading {saved}", problem, "1 of 2 pictures", "2 of 2 pictures"]
    assert shown.getvalue().endswith("2 of 2 pictures\n")
    assert shown.getvalue().count("\n") == 2


def test_the_command_itself(saved, tmp_path):
    Image.fromarray(photo()).save(tmp_path / "a.png")
    command = [sys.executable, "-m", "segbook", "predict", saved, "a.png", "b.png", "--out", "out"]
    root = Path(__file__).parents[1]
    environment = {"PYTHONPATH": str(root)} | os.environ
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)  # set by this process when it imported Keras
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "b.png: no such file\n"
    assert done.stdout == "1 of 2 pictures segmented, in out\n"
    assert (tmp_path / "out" / "a_mask.png").is_file()


def test_the_command_says_what_it_needs(capsys):
    for arguments in ([], ["predict"], ["predict", "a.keras"], ["predict", "a.keras", "b.png"]):
        with pytest.raises(SystemExit, match="2"):
            main(arguments)
        assert "the following arguments are required" in capsys.readouterr().err
