"""The documentation site: plain files, made by `python -m tinytensor.site OUT` in a clone.

    pages/, theme/    the site's own pages, its styles and the configuration of Sphinx
    markdown.py       Markdown files of the repository as pages of the site
    labs.py, live/    the chapters of the labs; programs whose debugger pages are in them
    names.py          all public names, their signatures and docstrings
    docstrings.py     docstrings as reStructuredText
    reference.py      the pages of the reference
    sources.py        pages with the sources of files
    build.py          puts all of these together and runs Sphinx
    links.py          checks a built site: links, anchors, nothing loaded from elsewhere

Sphinx builds it, with MyST for Markdown and the theme Furo. Its search index is a script, so the
search works on files that are opened from the disk, it knows what a function, a method and a class
is, and `literalinclude` takes code from its source at every build. Material for MkDocs gets
corrections only, Zensical is at version 0.1 and its search needs a server, and pdoc makes a
reference but no book.
"""
