"""Settings: params.yaml and the defaults in code become every effective value.

With origin, meaning and range. The defaults stand beside the code that uses them, in the `settings.py` of each
package.
"""
