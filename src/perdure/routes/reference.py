def render_reference(d):
    return ""
