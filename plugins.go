// Package licgate makes the module's root importable: xcaddy builds with it as the one plugin.
package licgate

import _ "licgate/caddymodule"
