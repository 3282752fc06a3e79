"""Pieces of a page: everything in one file, every text escaped, every picture described."""

import base64
import html
import io

from PIL import Image

from kgan.grid import make_grid

# A sheet of small pictures is shown at the greatest whole multiple of its size up to this width,
# in which the card of one of two runs is filled.
SHEET_WIDTH_PIXELS = 520
# From this side on a picture has so many pixels that nobody wants to see each.
SMOOTH_FROM_PIXELS = 64


def text(value):
    """Returns any value as text of a page.

    Args:
        value: what `str` takes.
    """
    return html.escape(str(value))


def tag(name, *contents, **attributes):
    """Returns an element: contents are HTML, attributes are escaped; `_` stands for nothing.

    Args:
        name: str.
        *contents: str, HTML.
        **attributes: str or int; `class_` for `class`.

    Example:
    >>> kgan.report.html.tag("p", "Hello", class_="note")
    '<p class="note">Hello</p>'
    """
    pairs = [f' {key.rstrip("_")}="{text(value)}"' for key, value in attributes.items()]
    opening = f"<{name}{''.join(pairs)}>"
    return opening if name == "img" else f"{opening}{''.join(contents)}</{name}>"


def png(file, alt, **attributes):
    """Returns an image that holds its file.

    Args:
        file: bytes of a PNG file.
        alt: str, what is to be seen.
        **attributes: as of `tag`.
    """
    data = base64.b64encode(file).decode("ascii")
    return tag("img", src=f"data:image/png;base64,{data}", alt=alt, **attributes)


def sheet(images, columns, alt, pad=1, width=SHEET_WIDTH_PIXELS):
    """Returns images `(n, height, width, channels)` in [-1, 1] as one, small ones enlarged.

    Args:
        images: float array.
        columns: int >= 1, images in a row.
        alt: str.
        pad: int >= 0, pixels between images. Defaults to 1.
        width: int, pixels of the page that the sheet should fill; None fills what is around it.
    """
    grid = make_grid(images, columns=columns, pad=pad, scale=1)
    file = io.BytesIO()
    Image.fromarray(grid[..., 0] if grid.shape[-1] == 1 else grid).save(file, format="PNG")
    attributes = {"width": grid.shape[1], "height": grid.shape[0]}
    if width is not None:
        shown = grid.shape[1] * max(1, width // grid.shape[1])
        attributes["style"] = f"width:{shown}px"
    if min(images.shape[1:3]) < SMOOTH_FROM_PIXELS:
        attributes["class_"] = "pixels"
    return png(file.getvalue(), alt, **attributes)


def number(value):
    """Returns a number as people read it: four digits, and thousands apart.

    Args:
        value: int or float.

    Example:
    >>> [kgan.report.html.number(x) for x in (60000, 2.758551, 0.00012345, 12345.6, 2.0)]
    ['60,000', '2.759', '0.0001234', '12,346', '2']
    """
    if isinstance(value, int) or abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def words(name):
    """Returns a log's name as words.

    Args:
        name: str.
    """
    return name.replace("_", " ")


def note(message, *commands):
    """Returns a box that says what is missing, and what would make it.

    Args:
        message: str.
        *commands: str, command lines.
    """
    return tag("div", text(message), *map(command_line, commands), class_="note")


def command_line(command):
    """Returns a command line, which is broken between its arguments.

    Args:
        command: str.
    """
    return tag("code", " ".join(tag("span", text(word)) for word in command.split()))
