"""A report as a browser sees it: elements, attributes, text."""

from html.parser import HTMLParser

VOID = {"meta", "img", "br", "link"}
# What a report is made of; anything else came from a name.
ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "div", "section", "span", "i", "b",
    "sup", "sub", "code", "table", "tr", "th", "td", "details", "summary", "figure", "figcaption", "img",
    "svg", "text", "line", "circle", "rect", "path",
}  # fmt: skip


class ParsedPage(HTMLParser):
    """Collects the contents of a page, and fails on elements that are not closed in order."""

    def __init__(self, path):
        super().__init__(convert_charrefs=True)
        self.source = path.read_text(encoding="utf-8")
        self.elements = []
        self.words = []
        self._open = []
        self.feed(self.source)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    @property
    def text(self):
        return " ".join("".join(self.words).split())

    def attributes(self, name):
        return [attributes[name] for _, attributes in self.elements if name in attributes]

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "style" not in self._open:
            self.words.append(data)
