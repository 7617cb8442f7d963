"""The playground: one page of HTML in which a network of single numbers is trained step by step.

    program    the program that is trained: data, network, optimizer, one step
    session    what the live page asks of it
    recorded   recordings of it, by both engines
    pyodide    Python for the browser
    page       the page

`python -m tinytensor playground page.html` writes it.
"""
