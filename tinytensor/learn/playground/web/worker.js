// Python in a worker: Pyodide from the page itself, and the project's own files.
const blob = (content, type) => URL.createObjectURL(new Blob([content], {type}));

async function unzipped(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
}

/** What Pyodide asks for comes from the page; anything else is refused, and told. */
function serve(files) {
  self.fetch = async (request) => {
    const address = String(request.url || request), name = Object.keys(files).find((file) => address.endsWith(file));
    if (name) return new Response(files[name], {headers: {"Content-Type": name.endsWith(".wasm") ? "application/wasm" : "application/zip"}});
    postMessage({request: address});
    throw new Error(`no network: ${address}`);
  };
}

const functions = {
  async start({pyodide, lock, files}) {
    postMessage({said: "Unpacking Python \u2026"});
    const [wasm, module, library, loader] = await Promise.all(
      ["pyodide.asm.wasm", "pyodide.asm.mjs", "python_stdlib.zip", "pyodide.mjs"].map((name) => unzipped(pyodide[name])));
    serve({"pyodide.asm.wasm": wasm, "python_stdlib.zip": library});
    postMessage({said: "Starting Python \u2026"});
    // Pyodide takes a worker that has this function for one without modules.
    Object.defineProperty(self, "importScripts", {value: undefined, configurable: true, writable: true});
    const {loadPyodide} = await import(blob(loader, "text/javascript"));
    const {default: createPyodideModule} = await import(blob(module, "text/javascript"));
    const python = await loadPyodide({indexURL: "https://page.invalid/", stdLibURL: "https://page.invalid/python_stdlib.zip",
      createPyodideModule, lockFileContents: lock});
    for (const [name, text] of Object.entries(files)) {
      python.FS.mkdirTree(`/program/${name}`.replace(/\/[^/]*$/, ""));
      python.FS.writeFile(`/program/${name}`, text);
    }
    self.session = python.runPython("import sys; sys.path.insert(0, '/program'); from learn.playground import session; session");
    return python.runPython("sys.version.split()[0]");
  },
  open: (settings, frame) => session.begin(settings, frame),
  steps: (milliseconds) => session.steps(milliseconds),
  backward: (sample, frame) => session.backward(sample, frame),
};

onmessage = async ({data: {id, name, given}}) => {
  try {
    postMessage({id, answer: await functions[name](...given)});
  } catch (error) {
    postMessage({id, error: String(error.message || error)});
  }
};
