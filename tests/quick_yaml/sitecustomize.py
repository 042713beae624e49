"""Commands that tests start read YAML with libyaml: lmms-eval indexes thousands of files, by PyYAML's own in 10 s."""

import yaml

if yaml.__with_libyaml__:

    class FullLoader(yaml.CFullLoader):
        def __init__(self, stream):
            super().__init__(stream)
            self.name = getattr(stream, "name", "<text>")  # as PyYAML's own; lmms-eval asks for it

    # Both names: `yaml.full_load` looks at the first, `yaml.add_constructor` at the second.
    yaml.FullLoader = yaml.loader.FullLoader = FullLoader
