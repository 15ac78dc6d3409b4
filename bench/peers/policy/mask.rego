# Takes the credential out of the decision log; loaded only where there is one.
package system.log

mask contains "/input/authorization"

mask contains "/input/attributes/request/http/headers/authorization"
